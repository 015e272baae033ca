package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// What can come of a delivery.
const (
	outcomeDone    = "done"        // this worker stored the result
	outcomeBefore  = "done before" // there was a result
	outcomeLater   = "discarded"   // a later delivery has begun, whose result counts
	outcomeBack    = "given back"  // another worker shall run the job
	outcomeDropped = "dropped"     // it cannot be opened, again and again
)

// judge decides whether what came of a run is the job's result, and stores it then.
func (d *delivery) judge(res sandbox.Result, err error) (string, error) {
	ctx := context.WithoutCancel(d.ctx)
	cause := context.Cause(d.ctx)
	if err != nil && errors.Is(cause, errLater) {
		return outcomeLater, err
	}
	if err != nil && errors.Is(cause, errDrained) {
		if d.repeatable() {
			d.giveBack(ctx)
			return outcomeBack, err
		}
		res, err = sandbox.Result{ExitCode: -1}, fail(sandbox.OpWait, fmt.Errorf("%w: %w", ErrWorkerLost, err))
	}
	failed := engineFailed(err)
	if failed {
		d.health.failed()
	}
	var e *sandbox.Error
	complete := errors.As(err, &e) && e.Op == sandbox.OpCleanup  // the result is, and something may be left
	elsewhere := failed && !complete || errors.Is(err, errStore) // it may succeed
	if elsewhere && d.repeatable() && d.claim.begun < d.options.MaxDeliver && !errors.Is(cause, context.Canceled) {
		return outcomeBack, err
	}
	return d.store(ctx, res, err)
}

// repeatable tells whether another worker may run the job from its start.
func (d *delivery) repeatable() bool { return d.remote == nil || !d.remote.used.Load() }

// engineFailed tells whether an error says that the engine is gone, broke off or is silent, and
// not that there is something about the job.
func engineFailed(err error) bool {
	var e *sandbox.Error
	if !errors.As(err, &e) || e.Op == sandbox.OpValidate || errors.As(err, new(*wire.LocalError)) || errors.Is(err, errStore) {
		return false
	}
	if dockerx.Unreachable(err) || dockerx.Lost(err) || errors.As(err, new(*net.OpError)) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, sandbox.ErrOutputLost) || errors.Is(err, sandbox.ErrCleanup) || errors.Is(err, sandbox.ErrClosed) {
		return true
	}
	brokeOff := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	return brokeOff && e.Op != sandbox.OpStage && e.Op != sandbox.OpPull // whose input, or registry, it may be
}

// inlineResult is how large a result may be that is not an object.
const inlineResult = 128 << 10

// storing is for how long a worker tries to store a result, while no server answers;
// storingLate, when the job has been cut off, as it is when the worker ends.
const (
	storing     = 10 * time.Minute
	storingLate = 15 * time.Second
)

// store stores the result, if there is none, tells the client, and removes the input.
func (d *delivery) store(ctx context.Context, res sandbox.Result, err error) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, func() { time.AfterFunc(storingLate, cancel) })()
	value, head, failed := d.value(ctx, res, err)
	if errors.Is(failed, ErrStoreFull) {
		res.Logs, res.SetupLogs, res.Artifacts, res.Uncollected = nil, nil, nil, nil
		err = fail(sandbox.OpCollect, errors.Join(fmt.Errorf("%w: the output and the artifacts do not fit", failed), err))
		value, head, failed = d.value(ctx, res, err)
	}
	if failed != nil {
		return outcomeBack, errors.Join(failed, err)
	}
	failed = again(ctx, storing, func() error { return d.put(ctx, value) })
	switch {
	case errors.Is(failed, jetstream.ErrKeyExists) || errors.Is(failed, errGivenUp):
		d.remove(head.Object, head.Parts) // of other failures it may be stored all the same, and expires
		d.removeInput()
		return outcomeBefore, err
	case errors.Is(failed, errLater):
		return outcomeLater, err
	case isFull(failed, "bytes"): // there is no room for an error either, but its client may listen
		head := wire.Head(sandbox.Result{ExitCode: -1}, fail(sandbox.OpCollect, ErrStoreFull))
		head.Nonce, head.Digest = d.sent.Nonce, d.digest
		if value, failed = head.Marshal(); failed == nil {
			_, failed = d.nc.Request(doneSubject(d.client, d.id), value, 5*time.Second)
		}
		if failed != nil {
			return outcomeBack, errors.Join(ErrStoreFull, failed, err)
		}
		d.removeInput()
		return outcomeDone, errors.Join(ErrStoreFull, err)
	case failed != nil:
		return outcomeBack, errors.Join(failed, err)
	}
	d.nc.Publish(doneSubject(d.client, d.id), value)
	d.removeInput()
	return outcomeDone, err
}

// errGivenUp is why a result is not stored any more.
var errGivenUp = errors.New("the client has given the job up")

// put stores the value unless there is one, or a later delivery has begun.
func (d *delivery) put(ctx context.Context, value []byte) error {
	last, err := d.lastClaim(ctx)
	if err != nil {
		return err
	}
	if last.number > d.number {
		return errLater
	}
	if d.sent.Nonce != "" {
		if gone, err := d.find(ctx, goneKey(d.sent.Nonce)); err != nil {
			return err
		} else if gone != nil {
			return errGivenUp
		}
	}
	_, err = d.results.Create(ctx, resultKey(d.id), value)
	if errors.Is(err, jetstream.ErrKeyExists) {
		if there, unknown := d.find(ctx, resultKey(d.id)); unknown != nil || bytes.Equal(there, value) {
			return unknown // it is this one, and the answer was lost
		}
	}
	return err
}

// value is the result as it is stored, and its head. A large one is an object, and the head says
// which.
func (d *delivery) value(ctx context.Context, res sandbox.Result, err error) (value []byte, head wire.Result, _ error) {
	head = wire.Head(res, err)
	head.Nonce, head.Digest, head.Delivery, head.Worker = d.sent.Nonce, d.digest, d.number, d.options.Name
	whole, err := head.Marshal()
	if err != nil {
		return nil, head, err
	}
	parts := append([][]byte{whole}, wire.Body(res)...)
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size <= inlineResult {
		return bytes.Join(parts, nil), head, nil
	}
	objects, err := d.stores.objectsOf(ctx, d.client)
	if err != nil {
		return nil, head, err
	}
	head = wire.Result{Nonce: head.Nonce, Digest: head.Digest, Delivery: head.Delivery, Worker: head.Worker}
	head.Object = fmt.Sprintf("%s.%d.%s", d.id, d.number, newNonce())
	err = again(ctx, storing, func() (err error) {
		readers := []io.Reader{}
		for _, p := range parts {
			readers = append(readers, bytes.NewReader(p))
		}
		if head.Parts, err = d.stores.put(ctx, objects, head.Object, io.MultiReader(readers...)); err != nil {
			remove(context.WithoutCancel(ctx), objects, head.Object, head.Parts)
		}
		return err
	})
	if err != nil {
		return nil, head, err
	}
	value, err = head.Marshal()
	return value, head, err
}

// removeInput removes what is of no use when there is a result.
func (d *delivery) removeInput() {
	d.remove(d.job.Input, d.job.Parts)
	d.remove(d.sent.Object, d.sent.Parts)
}

// remove removes an object, if it has a name.
func (d *delivery) remove(object string, parts int) {
	ctx := context.WithoutCancel(d.ctx)
	if objects, err := d.stores.objectsOf(ctx, d.client); err == nil {
		remove(ctx, objects, object, parts)
	}
}
