package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

// delivery is a job that the server has given to this worker.
type delivery struct {
	*Worker
	m          jetstream.Msg
	client, id string
	number     uint64        // of the deliveries of this job
	age        time.Duration // of the job
	begun      int           // how many workers have begun it
	sent       wire.Job      // the job, or the object that it is in
	job        wire.Job
	digest     string
	ctx        context.Context // ends when the job has been cut off
	cutOff     context.CancelCauseFunc
	results    jetstream.KeyValue
	remote     *remote
}

// deliver runs a job, and stores its result. The server keeps the job until that is done, and
// gives it to another worker if it does not hear of this one.
func (w *Worker) deliver(ctx context.Context, m jetstream.Msg) {
	d := &delivery{Worker: w, m: m}
	d.ctx, d.cutOff = context.WithCancelCause(ctx)
	defer d.cutOff(nil)
	defer d.hold()()
	began := time.Now()
	outcome, err := outcomeBack, d.open()
	if err == nil {
		end := w.running.begin(d)
		outcome, err = d.carryOut()
		end()
	} else if d.number > maxDeliveries {
		outcome = outcomeDropped
	}
	w.options.Logger.InfoContext(ctx, "job", "client", d.client, "id", d.id, "delivery", d.number,
		"outcome", outcome, "duration", time.Since(began), "error", err)
	switch outcome {
	case outcomeDone, outcomeBefore:
		m.Ack()
	case outcomeBack:
		m.NakWithDelay(time.Second)
	case outcomeDropped:
		m.Term()
	}
}

// maxDeliveries is more than a job can need. One whose messages, or buckets, are broken has them
// all.
const maxDeliveries = 1000

// open finds out whose job it is.
func (d *delivery) open() error {
	meta, err := d.m.Metadata()
	if err != nil {
		return err
	}
	d.number, d.age = meta.NumDelivered, time.Since(meta.Timestamp)
	if d.client, d.id, err = parseJobSubject(d.m.Subject()); err != nil {
		return err
	}
	d.results, err = d.stores.resultsOf(d.ctx, d.client)
	return err
}

// hold tells the server that the job is being worked on, until the function that it returns is
// called. Another worker may have it all the same, if this one was suspended or cut off.
func (d *delivery) hold() (release func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(d.options.Lease / 3):
			}
			d.m.InProgress()
		}
	}()
	return func() { close(done); <-ended }
}

// watch looks again and again whether the result is there already: then this worker is in vain.
// It returns a function that ends that.
func (d *delivery) watch() (end func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(d.ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if pause(ctx, d.options.Lease/3); ctx.Err() != nil {
				return
			}
			if value, err := d.find(ctx, resultKey(d.id)); err == nil && value != nil {
				d.cutOff(errLater)
			}
			if d.number > 1 {
				d.claim(ctx)
			}
		}
	}()
	return func() { stop(); <-ended }
}

// carryOut runs the job unless it must not be run, and says what came of it.
func (d *delivery) carryOut() (outcome string, err error) {
	d.sent, err = wire.UnmarshalJob(d.m.Data())
	d.job = d.sent
	unreadable := fail(sandbox.OpValidate, err)
	cancelled, err := d.nc.Subscribe(cancelSubject(d.client, d.id), d.cancel)
	if err != nil {
		return outcomeBack, err
	}
	defer cancelled.Unsubscribe()
	if err := d.begin(); err != nil {
		return outcomeBack, err
	}
	// By now a client that gives the job up either reaches this worker, or has stored that.
	if err := flush(d.ctx, d.nc); err != nil {
		return outcomeBack, err
	}
	if value, err := d.find(d.ctx, resultKey(d.id)); value != nil || err != nil {
		if err != nil {
			return outcomeBack, err
		}
		return outcomeBefore, nil
	}
	defer d.watch()()
	res, err := sandbox.Result{ExitCode: -1}, unreadable
	if err == nil {
		res, err = d.run()
	}
	return d.judge(res, err)
}

// cancel is told that the client has given the job up. The call that sent it proves that by its
// nonce. Nothing is published where a client that is limited to its own inbox has none.
func (d *delivery) cancel(m *nats.Msg) {
	if !strings.HasPrefix(m.Reply, InboxPrefix(d.client)+".") && !strings.HasPrefix(m.Reply, nats.InboxPrefix) {
		return
	}
	if string(m.Data) != d.sent.Nonce {
		m.Respond([]byte("another call's"))
		return
	}
	m.Respond(nil)
	d.cutOff(context.Canceled)
}

// run is the run itself.
func (d *delivery) run() (sandbox.Result, error) {
	nothing := sandbox.Result{ExitCode: -1}
	if err := d.read(); err != nil {
		return nothing, err
	}
	j := d.job.Command.Job()
	if err := d.options.allow(j); err != nil {
		return nothing, fail(sandbox.OpValidate, err)
	}
	if d.begun > d.options.MaxDeliver {
		return nothing, fail(sandbox.OpWait, fmt.Errorf("%w: %d workers have begun it, and were lost", ErrMaxDeliver, d.options.MaxDeliver))
	}
	ctx, cancel := d.ctx, func() {}
	if !d.job.Deadline.IsZero() { // the client keeps it, by its own clock
		ctx, cancel = context.WithDeadline(ctx, d.job.Deadline.Add(time.Minute))
	}
	defer cancel()
	end, err := d.connect(&j)
	if err != nil {
		return nothing, fail(sandbox.OpWait, err)
	}
	defer end()
	j.InputTar = d.input(ctx)
	return d.runner.RunOnce(ctx, j)
}

// read reads the job, if it is an object.
func (d *delivery) read() (err error) {
	if d.sent.Object != "" {
		r := d.stores.get(d.ctx, d.client, d.sent.Object, d.sent.Parts)
		data, err := io.ReadAll(io.LimitReader(r, maxJob+1))
		if err != nil {
			return fail(sandbox.OpStage, fmt.Errorf("the job: %w", storeError(err)))
		}
		if d.job, err = wire.UnmarshalJob(data); err != nil {
			return fail(sandbox.OpValidate, err)
		}
	}
	d.digest, err = d.job.Command.Digest()
	return fail(sandbox.OpValidate, err)
}

// connect makes sure that a client is there that needs to be, and gives the job its readers
// and writers. A job that has waited for so long that the client's giving it up may have
// expired needs its client, too.
func (d *delivery) connect(j *sandbox.Job) (end func(), err error) {
	if !d.job.Live.Any() && !d.old() {
		return func() {}, nil
	}
	r := &remote{nc: d.nc, delivery: strconv.FormatUint(d.number, 10), end: d.cutOff}
	r.subject = func(verb string) string { return liveSubject(d.client, d.id, d.sent.Nonce, verb) }
	calls, stop := context.WithCancel(context.WithoutCancel(d.ctx)) // a run that is cut off still delivers
	r.ctx = calls
	if err := r.beat(d.options.Lease); err != nil {
		stop()
		return nil, err
	}
	if !d.job.Live.Any() {
		stop()
		return func() {}, nil
	}
	d.remote = r
	r.bind(j, d.job.Live)
	kept := make(chan struct{})
	go func() { defer close(kept); r.keep(d.options.Lease) }()
	return func() { stop(); <-kept }, nil
}

// old tells whether what says that the client has given the job up may have expired.
func (d *delivery) old() bool {
	if d.age < minKeep/2 {
		return false
	}
	status, err := d.results.Status(d.ctx)
	return err != nil || d.age > status.TTL()/2
}

// input is the job's input, nil = none.
func (d *delivery) input(ctx context.Context) io.Reader {
	switch {
	case d.job.Input != "":
		return storeReader{d.stores.get(ctx, d.client, d.job.Input, d.job.Parts)}
	case d.job.Small != nil:
		return bytes.NewReader(d.job.Small)
	}
	return nil
}

// errStore is wrapped if a job or an input cannot be read from the object store, although it may
// be there.
var errStore = errors.New("the object store")

func storeError(err error) error {
	if err == nil || err == io.EOF || errors.Is(err, errGone) || errors.Is(err, errForeign) {
		return err
	}
	return fmt.Errorf("%w: %w", errStore, err)
}

type storeReader struct{ r io.Reader }

func (r storeReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	return n, storeError(err)
}
