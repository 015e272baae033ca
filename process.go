package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// process is a started container. Its output is drained without pause, since
// every engine call about it would hang otherwise, and its exit was waited for
// before its start.
type process struct {
	run     *run
	stream  *dockerx.Attachment
	logs    *capture
	drained chan struct{} // closed after lost is set
	lost    error         // why the output is not complete
	exited  <-chan dockerx.Exit
	unwait  context.CancelFunc
}

// execute runs the created container to its end and fills in what the run
// brought: exit status, output, TimedOut.
func (r *run) execute(ctx context.Context, l Limits, res *Result) error {
	p, err := r.start(ctx, l)
	if err != nil {
		if p != nil {
			res.Logs, res.LogsDropped = p.logs.result()
		}
		return fail(OpStart, err)
	}
	end, timedOut, err := p.await(ctx, l.Timeout)
	p.release()
	res.Logs, res.LogsDropped = p.logs.result()
	if end.Err == nil {
		res.ExitCode = end.Code
		// A job that ended before our kill reached it has its own status.
		res.TimedOut = timedOut && end.Code == killedStatus
	}
	return fail(OpWait, err)
}

// killedStatus is the exit status after SIGKILL.
const killedStatus = 128 + 9

// start attaches, registers for the exit and starts, in this order, so that
// neither a byte nor the exit is missed. Beside an error the process has ended.
func (r *run) start(ctx context.Context, l Limits) (*process, error) {
	stream, err := r.engine.Attach(ctx, r.name)
	if err != nil {
		return nil, err
	}
	p := &process{run: r, stream: stream, logs: newCapture(l.LogBytes), drained: make(chan struct{})}
	go func() { // release waits for it
		p.lost = stream.Demultiplex(p.logs, p.logs)
		close(p.drained)
	}()
	// The caller's end must not end the wait: the kill that follows needs it.
	waiting, unwait := context.WithCancel(context.WithoutCancel(ctx))
	p.unwait = unwait
	if p.exited, err = r.engine.Wait(waiting, r.name); err == nil {
		if err = r.engine.Start(ctx, r.name); !dockerx.OutcomeKnown(err) {
			p.salvage(ctx)
		}
	}
	if err != nil {
		p.release()
		return p, err
	}
	return p, nil
}

// salvage waits for the output of a command that ran although its start's answer
// was lost, and kills it.
func (p *process) salvage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.run.bounds.stop)
	defer cancel()
	killed, err := p.run.engine.Kill(ctx, p.run.name)
	if err == nil && !killed {
		var state dockerx.State
		state, err = p.run.engine.Inspect(ctx, p.run.name)
		killed = !state.Running && !state.Gone
	}
	if err != nil || !killed {
		return // it never ran, or cannot be asked about
	}
	select {
	case <-p.drained:
	case <-time.After(p.run.bounds.drain):
	}
}

// release ends the goroutines of a process and waits for them.
func (p *process) release() {
	p.stream.Close()
	<-p.drained
	p.unwait()
	if p.exited != nil {
		for range p.exited {
		}
	}
}

// await waits for the exit. At the timeout, at the end of ctx, and when the
// output breaks off, it kills the container and waits again. timedOut says that
// the timeout's kill ended it; err that the run was cut off otherwise.
func (p *process) await(ctx context.Context, timeout time.Duration) (end dockerx.Exit, timedOut bool, err error) {
	var expired, orphaned <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	drained := p.drained
	for ended := false; !ended; {
		select {
		case end = <-p.exited:
			ended = true
		case <-drained:
			// The output ends a moment before the exit is known.
			drained, orphaned = nil, time.After(p.run.bounds.drain)
			if p.lost != nil {
				end, _ = p.kill(ctx) // drain reports why
				ended = true
			}
		case <-orphaned:
			end, _ = p.kill(ctx)
			err, ended = fmt.Errorf("%w: it ended, but the container was still running", ErrOutputLost), true
		case <-expired:
			end, timedOut = p.kill(ctx)
			ended = true
		case <-ctx.Done():
			end, _ = p.kill(ctx)
			err, ended = context.Cause(ctx), true
		}
	}
	return end, timedOut, errors.Join(err, end.Err, p.drain())
}

// kill kills the container and waits for its exit. ours is false if the
// container had stopped before; a kill whose answer was lost counts as ours.
func (p *process) kill(ctx context.Context) (end dockerx.Exit, ours bool) {
	bound := p.run.bounds.stop
	late := fmt.Errorf("killed, but no exit within %v", bound)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), bound, late)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		killed, err := p.run.engine.Kill(ctx, p.run.name)
		ours = ours || killed || err != nil
		var again <-chan time.Time
		if err != nil {
			again = time.After(pause)
		}
		select {
		case end = <-p.exited:
			return end, ours
		case <-ctx.Done():
			return dockerx.Exit{Err: errors.Join(late, err)}, ours
		case <-again:
		}
	}
}

// drain waits for the end of the output of a container that has stopped.
func (p *process) drain() error {
	select {
	case <-p.drained:
	case <-time.After(p.run.bounds.drain):
		p.stream.Close()
		<-p.drained
		return fmt.Errorf("%w: no end of the output within %v of the exit", ErrOutputLost, p.run.bounds.drain)
	}
	if p.lost != nil {
		return fmt.Errorf("%w: %w", ErrOutputLost, p.lost)
	}
	return nil
}
