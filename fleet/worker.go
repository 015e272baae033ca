package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/synchestra-io/sandbox"
)

// The defaults of WorkerOptions.
const (
	DefaultLease      = 30 * time.Second
	DefaultMaxDeliver = 5
	DefaultDrain      = 30 * time.Second
)

// WorkerOptions configures a Worker. The zero value is ready to use.
type WorkerOptions struct {
	// Name is what the worker is called in results, logs and [Status]; "" = the host's name.
	Name string
	// Queue is what the worker takes jobs from; "" = [DefaultName]. A machine that serves
	// several queues has a Worker for each; they may share a Runner.
	Queue string
	// Concurrency is how many jobs run at once; 0 = one for each CPU of this process.
	Concurrency int
	// Lease is how long a worker may be silent until its jobs go to another one; 0 = 30 s. It
	// must be the same for all workers of a queue, and between a second and two minutes.
	Lease time.Duration
	// MaxDeliver is how many workers may begin a job; 0 = 5. One that has lost them all ends with
	// [ErrMaxDeliver].
	MaxDeliver int
	// Drain is how long jobs may go on when the context of Run has ended; 0 = 30 s. What is not
	// done by then is cut off and goes to another worker.
	Drain time.Duration
	// Mounts are the directories and files of the worker's host that jobs of all clients may
	// mount, each by exactly this [sandbox.Mount] Source, read-only, or with ":rw" at its end
	// writable, too; nil = none.
	Mounts []string
	// Networks are the networks that jobs may have; nil = "none" and "bridge".
	Networks []string
	// Limits are the most that jobs may ask for; a zero field allows any. A job that asks for
	// more, or for no limit, is refused with [ErrNotAllowed]. LogBytes and ArtifactBytes are
	// in this process's memory: 0 = 1 GiB each. Network has no meaning here.
	Limits sandbox.Limits
	// Logger gets a line for each job at level Info, without output, variables or arguments, and
	// one at level Warn for what an operator should know, such as an engine that does not
	// answer; nil = silent.
	Logger *slog.Logger
}

func (o WorkerOptions) withDefaults() WorkerOptions {
	if o.Name == "" {
		o.Name, _ = os.Hostname()
	}
	if o.Queue == "" {
		o.Queue = DefaultName
	}
	if o.Concurrency == 0 {
		o.Concurrency = runtime.GOMAXPROCS(0)
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.MaxDeliver == 0 {
		o.MaxDeliver = DefaultMaxDeliver
	}
	if o.Drain == 0 {
		o.Drain = DefaultDrain
	}
	if o.Networks == nil {
		o.Networks = []string{"none", sandbox.DefaultNetwork}
	}
	if o.Limits.LogBytes == 0 {
		o.Limits.LogBytes = 1 << 30
	}
	if o.Limits.ArtifactBytes == 0 {
		o.Limits.ArtifactBytes = 1 << 30
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o WorkerOptions) check() error {
	err := checkName("WorkerOptions.Queue", o.Queue)
	if o.Concurrency < 0 {
		err = errors.Join(err, fmt.Errorf("WorkerOptions.Concurrency %d: want a number of jobs, or 0 for the number of CPUs", o.Concurrency))
	}
	if o.Lease < time.Second || o.Lease > maxLease {
		err = errors.Join(err, fmt.Errorf("WorkerOptions.Lease %v: want a second or more, at most %v, or 0 for %v", o.Lease, maxLease, DefaultLease))
	}
	if o.MaxDeliver < 0 {
		err = errors.Join(err, fmt.Errorf("WorkerOptions.MaxDeliver %d: want a number of workers, or 0 for %d", o.MaxDeliver, DefaultMaxDeliver))
	}
	if o.Drain < 0 {
		err = errors.Join(err, fmt.Errorf("WorkerOptions.Drain %v: want a positive duration, or 0 for %v", o.Drain, DefaultDrain))
	}
	return err
}

// maxLease is much less than what is kept for as long as minKeep.
const maxLease = 2 * time.Minute

// Worker runs the jobs of a queue on one engine.
type Worker struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	runner  *sandbox.Runner
	options WorkerOptions
	stores  *stores
	health  health
	running running
}

// NewWorker returns a Worker of the server that nc is connected to, whose jobs run on runner's
// engine. It does no I/O. nc should reconnect without end (nats.MaxReconnects(-1)).
func NewWorker(nc *nats.Conn, runner *sandbox.Runner, o WorkerOptions) (*Worker, error) {
	o = o.withDefaults()
	js, err := jetstream.New(nc)
	if err = errors.Join(o.check(), err); err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	w := &Worker{nc: nc, js: js, runner: runner, options: o, stores: newStores(js)}
	w.health.worker, w.health.asking = w, make(chan struct{}, 1)
	return w, nil
}

// Run takes jobs and runs them until ctx ends. Then it takes no more, and returns when those
// under way have ended or, after [WorkerOptions.Drain], have been cut off. Runs on the engine
// get the values of ctx.
//
// First it removes what a worker that was killed left on the engine, as
// [sandbox.Runner.Sweep] does, and does so again every few minutes. When the engine fails, a job
// goes to another worker, and this one takes no more until its engine answers.
//
// An error says that it could not begin, or that jobs were cut off.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.health.sweep(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("fleet: the worker's engine: %w", err)
	}
	consumer, err := w.consumer(ctx)
	if ctx.Err() != nil {
		return nil // it has taken nothing
	}
	if err != nil {
		return fmt.Errorf("fleet: queue %s: %w", w.options.Queue, err)
	}
	status, err := w.nc.Subscribe(statusSubject, w.tellStatus)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	defer status.Unsubscribe()

	jobs, cutOff := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cutOff(nil)
	var slots, others sync.WaitGroup
	others.Go(func() { w.health.keep(ctx) })
	for range w.options.Concurrency {
		slots.Go(func() { w.serve(ctx, jobs, consumer) })
	}
	<-ctx.Done()
	late := time.AfterFunc(w.options.Drain, func() { cutOff(errDrained) })
	slots.Wait()
	others.Wait()
	if late.Stop() {
		return nil
	}
	return fmt.Errorf("fleet: jobs did not end within %v, were cut off, and go to another worker", w.options.Drain)
}

// errDrained is why a job is cut off when its worker ends.
var errDrained = errors.New("the worker ends")

// consumer is the queue, as the server gives it to all of its workers.
func (w *Worker) consumer(ctx context.Context) (c jetstream.Consumer, err error) {
	err = again(ctx, patience, func() error {
		c, err = w.js.CreateOrUpdateConsumer(ctx, jobsStream, jetstream.ConsumerConfig{
			Durable: w.options.Queue, FilterSubject: jobSubject(w.options.Queue, "*", "*"),
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: w.options.Lease,
			MaxDeliver: -1, // a worker says so itself, since nobody else could
			// A queue that no worker has served for so long is forgotten, but for its jobs.
			InactiveThreshold: 24 * time.Hour,
			// Each slot of each worker waits with a request of its own.
			MaxWaiting: 1 << 16, MaxAckPending: 1 << 20,
		})
		return err
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("no fleet at %s: call Provision first: %w", w.nc.ConnectedUrlRedacted(), err)
	}
	return c, err
}

// serve takes a job at a time, until ctx ends.
func (w *Worker) serve(ctx, jobs context.Context, consumer jetstream.Consumer) {
	for w.health.wait(ctx) == nil {
		m, err := w.next(ctx, consumer)
		if err != nil && ctx.Err() == nil {
			w.options.Logger.WarnContext(ctx, "no jobs can be taken", "error", err)
			pause(ctx, time.Second)
			if c, err := w.consumer(ctx); err == nil { // the server may have lost it
				consumer = c
			}
		}
		if m != nil {
			w.deliver(jobs, m)
		}
	}
}

// next waits for a job. It returns nil if there was none for a while, which is short: what the
// server sends to a worker that has been suspended comes to nobody else until the lease ends.
func (w *Worker) next(ctx context.Context, consumer jetstream.Consumer) (jetstream.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, min(w.options.Lease/2, 5*time.Second))
	defer cancel()
	batch, err := consumer.Fetch(1, jetstream.FetchContext(waiting))
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		return m, nil
	}
	err = batch.Error()
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = nil
	}
	return nil, err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
