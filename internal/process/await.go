package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// ErrOutputLost is wrapped by errors about output that may be missing: its stream
// ended while the container ran, or broke off inside a frame.
var ErrOutputLost = errors.New("output lost")

// await waits for the exit. At the timeout, at the end of ctx, when the output
// breaks off, and when a reader or writer of the caller's fails, it kills the
// container and waits again. timedOut says that the kill at the timeout ended it;
// err says that the run was cut off for another reason.
func (p *process) await(ctx context.Context, timeout time.Duration) (end dockerx.Exit, timedOut bool, err error) {
	var expired, orphaned <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	drained, fed := p.drained, p.fed
	for ended := false; !ended; {
		select {
		case end = <-p.exited:
			ended = true
		case <-drained:
			// The output ends a moment before the exit is known.
			drained, orphaned = nil, time.After(p.bounds.Drain)
			if p.lost != nil {
				end, _ = p.kill(ctx) // drain reports why
				ended = true
			}
		case <-orphaned:
			var ours bool
			if end, ours = p.kill(ctx); ours { // else the exit was only slow to be told
				err = fmt.Errorf("%w: the stream ended while the container was still running", ErrOutputLost)
			}
			ended = true
		case err = <-p.out.Failed():
			end, _ = p.kill(ctx)
			ended = true
		case failed, open := <-fed:
			if !open {
				fed = nil
			} else {
				end, _ = p.kill(ctx)
				err, ended = failed, true
			}
		case <-expired:
			end, timedOut = p.kill(ctx)
			ended = true
		case <-ctx.Done():
			end, _ = p.kill(ctx)
			err, ended = context.Cause(ctx), true
		}
	}
	p.input.Shut()
	return end, timedOut, errors.Join(err, end.Err, p.drain(end))
}

// kill kills the container and waits for its exit. ours is false if the
// container had stopped before; a kill whose answer was lost counts as ours.
func (p *process) kill(ctx context.Context) (end dockerx.Exit, ours bool) {
	p.startWriteDeadline()
	p.input.Shut()
	bound := p.bounds.Stop
	late := fmt.Errorf("no exit within %v of the kill request", bound)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), bound, late)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		killed, err := p.client.Kill(ctx, p.name)
		ours = ours || killed || err != nil
		var again <-chan time.Time
		if err != nil {
			again = time.After(pause)
		}
		select {
		case end = <-p.exited:
			return end, ours
		case <-ctx.Done():
			if errors.Is(err, late) {
				err = nil // it was the bound that ended the last call
			}
			return dockerx.Exit{Err: errors.Join(late, err)}, ours
		case <-again:
		}
	}
}

// drain waits for the end of the output of a container that has stopped. It waits
// for the caller's writers as long as their Writes return.
func (p *process) drain(end dockerx.Exit) error {
	for p.out.HasWriters() {
		before := p.out.Writes()
		if p.drainedWithin(p.bounds.Writer) || p.out.Writes() == before {
			break
		}
	}
	p.out.CutOff()
	if !p.drainedWithin(p.bounds.Drain) {
		p.stream.Close()
		<-p.drained
		return fmt.Errorf("%w: the stream did not end within %v", ErrOutputLost, p.bounds.Drain)
	}
	if p.lost != nil {
		return fmt.Errorf("%w: %w", ErrOutputLost, p.lost)
	}
	return errors.Join(p.complete(end), p.out.Err())
}

func (p *process) drainedWithin(d time.Duration) bool {
	select {
	case <-p.drained:
		return true
	case <-time.After(d):
		return false
	}
}

// complete checks whether a stream that ended between two frames can have ended with
// the container. A stream that is cut there, for example by an engine that dies,
// looks the same.
func (p *process) complete(end dockerx.Exit) error {
	switch ran := p.ended.Sub(p.begun); {
	case end.Err != nil:
		return nil // which is reported
	case !end.Broke.IsZero() && p.ended.Before(end.Broke.Add(p.bounds.Drain)):
		return fmt.Errorf("%w: the connection to the engine broke while the container was running", ErrOutputLost)
	case ran+p.bounds.Slack < end.Ran:
		return fmt.Errorf("%w: the stream ended after %v, but the container ran for %v", ErrOutputLost, ran, end.Ran)
	}
	return nil
}

// oomKilled asks once more, since the kernel's report can reach the engine after
// the exit. If something was killed and not by us, it asks again for a while.
func (p *process) oomKilled(ctx context.Context, suspected bool) bool {
	ctx, cancel := context.WithTimeout(ctx, p.bounds.OOM)
	defer cancel()
	for {
		state, err := p.client.Inspect(ctx, p.name)
		if err != nil || state.OOMKilled || !suspected {
			return state.OOMKilled
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}
