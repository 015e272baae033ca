package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

const (
	// lookEvery is how often the server is asked for a result that may have been told in vain,
	// and how often silence of a worker is counted.
	lookEvery = 2 * time.Second
	// sendEvery is how many looks later an attached call sends its own job again.
	sendEvery = 5
	// ending is how long a client waits for the end of a job that it has cancelled. A run has
	// 30 seconds for that.
	ending = 40 * time.Second
	// lastWord is how much of that is kept for telling all workers that the job was given up.
	lastWord = 5 * time.Second
	// silence is how long nothing may be heard of the worker of a job whose readers or writers
	// have been used.
	silence = 3 * maxBeat
)

// await returns the result, which the worker tells. In case that is lost, the server is
// asked for it, too. When ctx ends, the job is cancelled, and its end awaited.
func (t *task) await(ctx context.Context) ([]byte, error) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for silent, looks := 0, 1; ; looks++ {
		select {
		case value := <-t.done:
			if t.mine(value) {
				return value, nil
			}
		case <-ctx.Done():
			return t.cancel(ctx, context.Canceled) // result says of what
		case <-look.C:
		}
		value, err := t.lookUp(ctx)
		if value != nil {
			return value, nil
		}
		if err != nil && ctx.Err() == nil && !passing(err) {
			return nil, err
		}
		if t.attached && looks%sendEvery == 0 {
			t.publish(ctx) // the other call may have given its job up; else the server has it already
		}
		if touched, heard := t.live.look(); heard || !touched || !t.nc.IsConnected() {
			silent = 0
		} else if silent++; silent > int(silence/lookEvery) {
			return t.giveUp(ctx, ErrWorkerLost)
		}
	}
}

// mine tells whether a result that was told is of the job that this task sent: nobody else but
// the workers knows its nonce. Otherwise it is a reason to ask the server.
func (t *task) mine(value []byte) bool {
	r, _, err := wire.UnmarshalResult(value)
	return err == nil && r.Nonce == t.job.Nonce
}

// cancel makes the job end, and returns its result. A worker that has it is told; one that will
// have it finds that it was given up. The job of another call, which has the same ID, goes on.
func (t *task) cancel(ctx context.Context, why error) ([]byte, error) {
	ctx = t.afterAll(ctx)
	waiting, stop := context.WithTimeout(ctx, ending-lastWord)
	defer stop()
	for waiting.Err() == nil {
		answer, err := t.tellWorker(waiting)
		if errors.Is(err, nats.ErrNoResponders) || err == nil && answer != "" || t.nc.IsClosed() {
			return t.giveUp(ctx, why) // nobody has it, or has it from another call
		}
		select {
		case value := <-t.done:
			if t.mine(value) {
				return value, nil
			}
		case <-waiting.Done():
		case <-time.After(lookEvery):
		}
		if value, _ := t.lookUp(waiting); value != nil {
			return value, nil
		}
	}
	// Its worker may be suspended: no other one shall begin the job.
	err := t.storeGone(ctx)
	silent := fmt.Errorf("%w: no worker has said within %v that the job has ended; it may run", sandbox.ErrCleanup, ending-lastWord)
	return nil, errors.Join(silent, err)
}

// afterAll returns a context for what is to be done when the caller's has ended, or when it does
// not matter any more. It is the same one for all of that.
func (t *task) afterAll(ctx context.Context) context.Context {
	if t.last == nil {
		t.last, t.stop = context.WithTimeout(context.WithoutCancel(ctx), ending)
	}
	return t.last
}

// tellWorker tells the worker that has the job to end it, which it does if the answer is "".
func (t *task) tellWorker(ctx context.Context) (answer string, err error) {
	ctx, stop := context.WithTimeout(ctx, lookEvery)
	defer stop()
	m, err := t.nc.RequestWithContext(ctx, cancelSubject(t.options.Name, t.id), []byte(t.job.Nonce))
	if err != nil {
		return "", err
	}
	return string(m.Data), nil
}

// giveUp stores that this call has given its job up, so that no worker begins it any more, and
// one that has begun it ends it. It returns the result if there is one, or makes one.
func (t *task) giveUp(ctx context.Context, why error) ([]byte, error) {
	ctx = t.afterAll(ctx)
	r := wire.Head(sandbox.Result{ExitCode: -1}, fail(sandbox.OpWait, why))
	r.Nonce, r.Digest = t.job.Nonce, t.digest
	value, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	if err := t.storeGone(ctx); err != nil {
		return nil, err
	}
	if there, _ := t.lookUp(ctx); len(there) > 0 && t.mine(there) {
		return there, nil
	}
	t.removeObjects(ctx)
	return value, nil
}

// storeGone stores that this call has given its job up.
func (t *task) storeGone(ctx context.Context) error {
	results, err := t.stores.resultsOf(ctx, t.options.Name)
	if err == nil {
		err = again(ctx, ending, func() error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := results.PutString(ctx, goneKey(t.job.Nonce), t.id)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("%w: the fleet cannot be told that the job was given up, and may run it: %w", sandbox.ErrCleanup, err)
	}
	return nil
}

// result turns what the worker stored into what RunOnce returns, and removes it unless somebody
// can come back for it.
func (t *task) result(ctx context.Context, value []byte) (sandbox.Result, error) {
	nothing := sandbox.Result{ExitCode: -1}
	r, body, err := wire.UnmarshalResult(value)
	if err != nil {
		return nothing, fail(sandbox.OpWait, err)
	}
	unread := r.Nonce == "" && r.Fault != nil // the worker could not read whose it is
	if !unread && r.Nonce != t.job.Nonce && (!t.chosen || t.job.Live.Any() || r.Digest != t.digest) {
		return nothing, fail(sandbox.OpValidate, fmt.Errorf("%w: %s", ErrIDTaken, t.id))
	}
	if r.Delivery > 0 && !t.live.isOf(r.Delivery) { // its worker was cut off, and another one has used them
		return nothing, fail(sandbox.OpWait, ErrWorkerLost)
	}
	ended, reason := ctx.Err(), context.Cause(ctx)
	if ended != nil { // the result of a job that was cut off is wanted all the same
		ctx = t.afterAll(ctx)
	}
	var res sandbox.Result
	var fault *wire.Fault
	err = again(ctx, patience, func() (err error) {
		res, fault, err = t.content(ctx, r, body)
		return err
	})
	if err != nil && ended != nil {
		return nothing, endOf(ended, reason, fail(sandbox.OpWait, err))
	}
	if err != nil {
		return nothing, fail(sandbox.OpWait, err)
	}
	if r.Nonce != t.job.Nonce { // what this call has uploaded is of no use
		t.removeObjects(ctx)
	}
	t.forget(ctx, r)
	return res, t.runError(ended, reason, fault)
}

// content is a result with its body, and its error. Of a large one all is in an object.
func (t *task) content(ctx context.Context, r wire.Result, body []byte) (res sandbox.Result, _ *wire.Fault, err error) {
	content := io.Reader(bytes.NewReader(body))
	if r.Object != "" {
		object := t.stores.get(ctx, t.options.Name, r.Object, r.Parts)
		if r, err = wire.ReadResult(object); err != nil {
			return res, nil, err
		}
		content = object
	}
	res, err = r.Result(content, t.live.local)
	return res, r.Fault, err
}

// forget removes a result that nobody can come back for. An empty one stays in its place, so
// that no worker begins the job again. What it cannot remove expires.
func (t *task) forget(ctx context.Context, r wire.Result) {
	if t.chosen {
		return
	}
	t.nc.Publish("$KV."+bucket(t.options.Name)+"."+resultKey(t.id), nil)
	if r.Object == "" {
		return
	}
	if objects, err := t.stores.objectsOf(ctx, t.options.Name); err == nil {
		remove(ctx, objects, r.Object, r.Parts)
	}
}

// runError is the error of a run. If the caller's context cut it off, that is what the error
// says, with its reason, and not that the worker cancelled it.
func (t *task) runError(ended, reason error, fault *wire.Fault) error {
	if ended == nil {
		return fault.Err(t.live.local)
	}
	cancelled := ended
	if reason != ended {
		cancelled = fmt.Errorf("%w: %w", ended, reason)
	}
	return fault.ErrOf(t.live.local, cancelled)
}

// failed is the end of a task for which no worker has a result.
func (t *task) failed(ctx context.Context, op sandbox.Op, err error) (sandbox.Result, error) {
	res := sandbox.Result{ExitCode: -1}
	if ended := ctx.Err(); ended != nil {
		return res, endOf(ended, context.Cause(ctx), &sandbox.Error{Op: op, Err: err})
	}
	return res, fail(op, err)
}

// endOf puts the end of a context, with its reason, in front of an error.
func endOf(ended, reason, err error) error {
	e := &sandbox.Error{Op: sandbox.OpWait, Err: err}
	errors.As(err, &e)
	err = e.Err
	if !errors.Is(err, reason) {
		err = fmt.Errorf("%w (%w)", reason, err)
	}
	if !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return &sandbox.Error{Op: e.Op, Err: err}
}
