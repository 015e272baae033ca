package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// ErrOutputLost is wrapped by errors about output that may be missing: its stream
// ended while the container ran, broke off inside a frame, did not end with the
// container, or ended as the connection to the engine broke.
var ErrOutputLost = errors.New("output lost")

// errInputLost is not seen if the container ends at once after it, as if that ended the input.
var errInputLost = errors.New("input lost: its connection to the engine broke while the container was running")

// end is how a command came to its end.
type end struct {
	exit        dockerx.Exit
	timedOut    bool  // the kill at the timeout ended it
	undelivered error // see Outcome.Undelivered
	err         error // what cut the run off, or why its end or its output is not known
}

// await waits for the exit and for the rest of the output. At the timeout, at the end
// of ctx, when the output breaks off, and when a reader or writer of the caller's
// fails, it kills the container and waits again. What finds the command ended by
// itself has not cut it off.
func (p *process) await(ctx context.Context, timeout time.Duration) (e end) {
	var expired, orphaned, cut <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	drained, fed, inputEnded := p.drained, p.fed, p.stream.InputEnded()
	for ended := false; !ended; {
		ended = true
		select {
		case e.exit = <-p.exited:
		case <-drained:
			// The output ends a moment before the exit is known.
			if p.lost != nil {
				e.exit, _ = p.kill() // drain reports why
				break
			}
			drained, orphaned, ended = nil, time.After(p.bounds.Drain), false
		case <-orphaned:
			e.killFor(p, fmt.Errorf("%w: the stream ended while the container was still running", ErrOutputLost))
		case <-inputEnded:
			inputEnded, cut, ended = nil, time.After(p.bounds.Drain), false
		case <-cut:
			e.killFor(p, errInputLost)
		case failed := <-p.out.Failed():
			if !e.killFor(p, failed) {
				e.undelivered = failed
			}
		case failed, open := <-fed:
			if open {
				e.killFor(p, failed)
			} else {
				fed, ended = nil, false
			}
		case <-expired:
			e.exit, e.timedOut = p.kill()
		case <-ctx.Done():
			e.killFor(p, context.Cause(ctx))
		}
	}
	p.input.Shut()
	p.drain(ctx, &e)
	return e
}

// killFor kills the container for a reason, and tells whether that ended it.
func (e *end) killFor(p *process, why error) (ours bool) {
	if e.exit, ours = p.kill(); ours {
		e.err = why
	}
	return ours
}

// kill begins the run's ending, kills the container and waits for its exit. ours is
// false if the command had ended by itself: then nothing has been cut off.
func (p *process) kill() (exit dockerx.Exit, ours bool) {
	p.killed = true
	p.cutOff()
	if exit, ours = p.awaitKill(); !ours {
		p.resume()
	}
	return exit, ours
}

// awaitKill kills. Also the status can tell that the command had ended by itself: the
// engine reports success if it has not been told of the end yet. A kill whose answer
// was lost counts as ours.
func (p *process) awaitKill() (exit dockerx.Exit, ours bool) {
	ctx := p.ending.Early()
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		call, cancel := dockerx.Attempt(ctx)
		killed, err := p.client.Kill(call, p.name)
		cancel()
		ours = ours || killed || err != nil
		var again <-chan time.Time
		if err != nil {
			again = time.After(pause)
		}
		select {
		case exit = <-p.exited:
			return exit, ours && (exit.Err != nil || exit.Code == KilledStatus)
		case <-ctx.Done():
			late := context.Cause(ctx)
			if errors.Is(err, late) {
				err = nil // it was the bound that ended the last call
			}
			return dockerx.Exit{Err: errors.Join(fmt.Errorf("no exit after the kill request: %w", late), err)}, true
		case <-again:
		}
	}
}

// drain waits for the end of the output of a container that has stopped, and adds to e
// what is missing of it.
func (p *process) drain(ctx context.Context, e *end) {
	p.awaitWriters(ctx)
	p.out.CutOff()
	var lost error
	switch {
	case !p.drainedWithin(p.bounds.Drain):
		p.stream.Close()
		<-p.drained
		lost = fmt.Errorf("%w: the stream did not end within %v", ErrOutputLost, p.bounds.Drain)
	case p.lost != nil:
		lost = fmt.Errorf("%w: %w", ErrOutputLost, p.lost)
	default:
		lost = p.complete(e.exit)
		e.undelivered = errors.Join(e.undelivered, p.out.Err())
	}
	e.err = errors.Join(e.err, e.exit.Err, lost)
	if e.err != nil || ctx.Err() != nil {
		e.err, e.undelivered = errors.Join(e.err, e.undelivered), nil
	}
}

// awaitWriters waits for the caller's writers: after the command's own exit as long as
// their Writes return, and for a last moment if the run is or was cut off.
func (p *process) awaitWriters(ctx context.Context) {
	ended := ctx.Done()
	for p.out.HasWriters() {
		before := p.out.Writes()
		select {
		case <-p.drained:
			return
		case <-p.out.Cut():
			return
		case <-ended:
			ended = nil
			p.cutOff()
		case <-time.After(p.bounds.Writer):
			if p.out.Writes() == before {
				return
			}
		}
	}
}

// drainedWithin waits for the end of the output, but not longer than the run's ending
// allows.
func (p *process) drainedWithin(d time.Duration) bool {
	bound, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	bound, release := p.ending.Bind(bound)
	defer release()
	select {
	case <-p.drained:
		return true
	case <-bound.Done():
		return p.isDrained()
	}
}

// complete checks whether a stream that ended between two frames can have ended with
// the container. A stream that is cut there, for example by an engine that dies,
// looks the same; then the wait for the exit breaks, too. No two clocks are compared:
// the machines are not at one about the time, and one of them may have been suspended.
func (p *process) complete(exit dockerx.Exit) error {
	// A slow writer delays the sight of the stream's end.
	outlived := !exit.Alive.IsZero() && p.ended.After(exit.Alive) && !p.out.HasWriters()
	if exit.Err != nil || !exit.Broke || outlived {
		return nil
	}
	return fmt.Errorf("%w: the connection to the engine broke while the container was running", ErrOutputLost)
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
