package sandbox

import (
	"context"
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
	drained chan struct{} // closed after the next two are set
	ended   time.Time     // when the output ended
	lost    error         // why the output is not complete
	begun   time.Time     // before the start
	exited  <-chan dockerx.Exit
	unwait  context.CancelFunc
}

// execute runs the created container to its end and fills in what the run
// brought: exit status, output, TimedOut.
func (r *run) execute(ctx context.Context, l Limits, res *Result) (dockerx.Exit, error) {
	p, err := r.start(ctx, l)
	if err != nil {
		if p != nil {
			res.Logs, res.LogsDropped = p.logs.result()
		}
		return dockerx.Exit{}, fail(OpStart, err)
	}
	end, timedOut, err := p.await(ctx, l.Timeout)
	p.release()
	res.Logs, res.LogsDropped = p.logs.result()
	if end.Err == nil {
		res.ExitCode = end.Code
		// A job that ended before our kill reached it has its own status.
		res.TimedOut = timedOut && end.Code == killedStatus
	}
	return end, fail(OpWait, err)
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
		p.ended = time.Now()
		close(p.drained)
	}()
	// The caller's end must not end the wait: the kill that follows needs it.
	waiting, unwait := context.WithCancel(context.WithoutCancel(ctx))
	p.unwait = unwait
	if p.exited, err = r.engine.Wait(waiting, r.name); err == nil {
		err = p.begin(ctx)
	}
	if err != nil {
		p.release()
		return p, err
	}
	return p, nil
}

// begin starts the container.
func (p *process) begin(ctx context.Context) error {
	select {
	case <-p.drained:
		return fmt.Errorf("%w: its stream ended before the start", ErrOutputLost)
	default:
	}
	p.begun = time.Now()
	err := p.run.engine.Start(ctx, p.run.name)
	if !dockerx.OutcomeKnown(err) {
		p.salvage(ctx)
	}
	return err
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
