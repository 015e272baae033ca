package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

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
	if d.claim.begun > d.options.MaxDeliver {
		return nothing, fail(sandbox.OpWait, fmt.Errorf("%w: %d workers have begun it, and were lost", ErrMaxDeliver, d.options.MaxDeliver))
	}
	ctx, cancel := d.ctx, func() {}
	if !d.job.Deadline.IsZero() { // the client keeps it, by its own clock
		ctx, cancel = context.WithDeadline(ctx, d.job.Deadline.Add(time.Minute))
	}
	defer cancel()
	if err := d.connect(&j); err != nil {
		return nothing, fail(sandbox.OpWait, err)
	}
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
func (d *delivery) connect(j *sandbox.Job) error {
	if !d.job.Live.Any() {
		if !d.old() {
			return nil
		}
		ask := func(ctx context.Context) (*nats.Msg, error) {
			return d.nc.RequestWithContext(ctx, wantedSubject(d.client, d.id), nil)
		}
		_, err := untilAnswered(d.ctx, d.nc, d.options.Lease, ask)
		return err
	}
	r := &remote{nc: d.nc, delivery: strconv.FormatUint(d.number, 10), end: d.cutOff}
	r.subject = func(verb string) string { return liveSubject(d.client, d.id, d.sent.Nonce, verb) }
	r.ctx = d.ctx
	if err := r.beat(d.options.Lease); err != nil {
		return err
	}
	calls, stop := context.WithCancel(context.WithoutCancel(d.ctx)) // a run that is cut off still delivers
	r.ctx, d.remote = calls, r
	r.bind(j, d.job.Live)
	kept := make(chan struct{})
	go func() { defer close(kept); r.keep(d.options.Lease) }()
	d.disconnect = func() { stop(); <-kept }
	return nil
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
