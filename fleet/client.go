package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

// Options configures a Client. The zero value is ready to use.
type Options struct {
	// Name is who the client is, one of [Config.Clients]; "" = [DefaultName]. It must be what
	// the credentials of the connection are for.
	Name string
	// Queue is what jobs wait in, such as "gpu" or "arm64", for a worker with the same
	// [WorkerOptions.Queue]; "" = [DefaultName]. Where there is no such worker, they wait
	// until their context ends.
	Queue string
	// MaxInputBytes is how large an input may be; 0 = 1 GiB. A larger one is
	// [ErrInputTooLarge].
	MaxInputBytes int64
}

// Client sends jobs to the workers of a fleet. It is safe for concurrent use.
type Client struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	options Options
	stores  *stores
}

// NewClient returns a Client of the server that nc is connected to. It does no I/O. nc should
// reconnect without end (nats.MaxReconnects(-1)): a run outlives a server that starts again.
func NewClient(nc *nats.Conn, o Options) (*Client, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Queue == "" {
		o.Queue = DefaultName
	}
	if o.MaxInputBytes == 0 {
		o.MaxInputBytes = 1 << 30
	}
	err := errors.Join(checkName("Options.Name", o.Name), checkName("Options.Queue", o.Queue))
	if o.MaxInputBytes < 0 {
		err = errors.Join(err, fmt.Errorf("Options.MaxInputBytes %d: want a number of bytes, or 0 for 1 GiB", o.MaxInputBytes))
	}
	js, failed := jetstream.New(nc)
	if err = errors.Join(err, failed); err != nil {
		return nil, fail(sandbox.OpValidate, err)
	}
	return &Client{nc: nc, js: js, options: o, stores: newStores(js)}, nil
}

// RunOnce does what [sandbox.Runner.RunOnce] does, on the engine of a worker. The job, the
// result and the errors are the same, with these additions.
//
// The job waits in a queue until a worker has room, for as long as ctx lasts. It is run at
// least once, and reported exactly once: if a worker is lost, or its engine, another one
// runs the job again from its start. That cannot be when Stdin was read, or when
// output has been delivered to Stdout, Stderr, Setup.Output or OutputTar; the error is then
// [ErrWorkerLost]. The end of ctx reaches the worker, and RunOnce returns when that has cleaned
// up, or after 40 seconds with [sandbox.ErrCleanup].
//
// Job.Mounts and networks are the worker's to allow, see [WorkerOptions]. The ID of the run on
// the engine is the worker's, too.
func (c *Client) RunOnce(ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
	t, err := c.newTask(ctx, j)
	if err != nil {
		return sandbox.Result{ExitCode: -1}, fail(sandbox.OpValidate, err)
	}
	defer t.close()
	if err := t.listen(ctx); err != nil {
		return t.failed(ctx, sandbox.OpPull, err)
	}
	value, err := t.stored(ctx)
	if err != nil {
		return t.failed(ctx, sandbox.OpPull, err)
	}
	if value == nil {
		if err := t.upload(ctx, j.InputTar); err != nil {
			return t.failed(ctx, sandbox.OpStage, err)
		}
		if value, err = t.submit(ctx); err != nil {
			return t.failed(ctx, sandbox.OpPull, err)
		}
	}
	if value == nil {
		if value, err = t.await(ctx); err != nil {
			return t.failed(ctx, sandbox.OpWait, err)
		}
	}
	return t.result(ctx, value)
}

// task is a job on its way.
type task struct {
	*Client
	id       string
	chosen   bool // the ID, by the caller
	job      wire.Job
	digest   string
	object   string // with the job, if it is large
	parts    int    // of this object
	live     *live
	done     chan []byte
	told     []*nats.Subscription
	message  *nats.Msg       // the job, as it is sent
	attached bool            // to the job of another call with the same ID, perhaps
	last     context.Context // of afterAll
	stop     context.CancelFunc
}

func (c *Client) newTask(ctx context.Context, j sandbox.Job) (*task, error) {
	if ctx == nil {
		return nil, errors.New("ctx is nil; pass context.Background(), or better a context with a deadline")
	}
	id, chosen, err := idOf(ctx)
	if err != nil {
		return nil, err
	}
	t := &task{Client: c, id: id, chosen: chosen, done: make(chan []byte, 1)}
	t.job.Command, t.job.Nonce = wire.NewCommand(j), newNonce()
	t.job.Deadline, _ = ctx.Deadline()
	t.job.Live = wire.Live{
		Stdin: j.Stdin != nil, Stdout: j.Stdout != nil, Stderr: j.Stderr != nil,
		Setup: j.Setup.Output != nil, OutputTar: j.OutputTar != nil,
	}
	if t.digest, err = t.job.Command.Digest(); err != nil {
		return nil, err
	}
	t.live = newLive(c.nc, c.options.Name, id, t.job.Nonce, j)
	return t, nil
}

// listen makes the server tell this task what concerns it, before anyone can.
func (t *task) listen(ctx context.Context) error {
	for subject, take := range map[string]nats.MsgHandler{
		doneSubject(t.options.Name, t.id): func(m *nats.Msg) {
			select {
			case t.done <- m.Data:
			default: // one is enough
			}
			m.Respond(nil) // if it is asked for
		},
		wantedSubject(t.options.Name, t.id): func(m *nats.Msg) { m.Respond(nil) },
	} {
		sub, err := t.nc.Subscribe(subject, take)
		if err != nil {
			return err
		}
		t.told = append(t.told, sub)
	}
	return t.live.begin(ctx)
}

// close ends what listen began, and waits for it but for a Read or Write of the caller's.
func (t *task) close() {
	for _, sub := range t.told {
		sub.Unsubscribe()
	}
	t.live.close()
	if t.stop != nil {
		t.stop()
	}
}

// stored returns the result of the job if it is there, else nil.
func (t *task) stored(ctx context.Context) (value []byte, err error) {
	if !t.chosen {
		return nil, nil
	}
	err = again(ctx, patience, func() (err error) {
		value, err = t.lookUp(ctx)
		return err
	})
	return value, err
}

// lookUp asks for the result, which is nil as long as there is none.
func (t *task) lookUp(ctx context.Context) ([]byte, error) {
	results, err := t.stores.resultsOf(ctx, t.options.Name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	entry, err := results.Get(ctx, resultKey(t.id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, entry.Value()...), nil
}
