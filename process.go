package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// process is a started container. Its output is drained without pause, since
// every engine call about it would hang otherwise, and its exit was waited for
// before its start.
type process struct {
	run     *run
	stream  *dockerx.Attachment
	out     *stdio.Output
	drained chan struct{} // closed after the next two are set
	ended   time.Time     // when the output ended
	lost    error         // why the output is not complete
	begun   time.Time     // before the start
	fed     <-chan error  // closed at the end of Stdin, after its error if there is one; nil without Stdin
	exited  <-chan dockerx.Exit
	unwait  context.CancelFunc
	killed  bool        // by us
	hurried *time.Timer // cuts the writers off after a kill
}

// execute runs the created container to its end and fills in what the run
// brought: exit status, output, TimedOut.
func (r *run) execute(ctx context.Context, p plan, res *Result) (dockerx.Exit, error) {
	proc, err := r.start(ctx, p)
	if err != nil {
		if proc != nil {
			res.Logs, res.LogsDropped = proc.out.Logs()
		}
		return dockerx.Exit{}, fail(OpStart, err)
	}
	end, timedOut, err := proc.await(ctx, p.limits.Timeout)
	proc.release()
	res.Logs, res.LogsDropped = proc.out.Logs()
	if end.Err == nil {
		res.ExitCode, res.Duration = end.Code, end.Ran
		res.OOMKilled = end.OOMKilled || p.limits.MemoryMB > 0 && r.oomKilled(ctx, end.Code == killedStatus && !proc.killed)
		// A job that ended before our kill reached it has its own status.
		res.TimedOut = timedOut && end.Code == killedStatus
	}
	return end, fail(OpWait, err)
}

// killedStatus is the exit status after SIGKILL.
const killedStatus = 128 + 9

// start attaches, registers for the exit and starts, in this order, so that
// neither a byte nor the exit is missed. Beside an error the process has ended.
func (r *run) start(ctx context.Context, plan plan) (*process, error) {
	stream, err := r.engine.Attach(ctx, r.name, plan.stdin != nil)
	if err != nil {
		return nil, err
	}
	p := &process{run: r, stream: stream, drained: make(chan struct{})}
	p.out = stdio.NewOutput(plan.limits.LogBytes, plan.stdout, plan.stderr)
	go func() { // release waits for it
		p.lost = stream.Demultiplex(p.out.Stdout(), p.out.Stderr())
		p.ended = time.Now()
		p.out.End()
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
	if plan.stdin != nil {
		p.fed = stdio.Feed(stream, stream.CloseWrite, plan.stdin) // release waits for its end
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
	err := p.run.startContainer(ctx, p.run.name)
	if !dockerx.OutcomeKnown(err) {
		p.salvage(ctx)
	}
	return err
}

// salvage waits for the output of a command that ran although its start's answer
// was lost, and kills it.
func (p *process) salvage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.run.bounds.Stop)
	defer cancel()
	p.hurryWriters()
	killed, err := p.run.engine.Kill(ctx, p.run.name)
	if err == nil && !killed {
		var state dockerx.State
		state, err = p.run.engine.Inspect(ctx, p.run.name)
		killed = !state.Running && !state.Gone
	}
	if err == nil && killed { // else it never ran, or cannot be asked about
		p.drainedWithin(p.run.bounds.Writer + p.run.bounds.Drain)
	}
}

// hurryWriters bounds what the caller's writers may take from now on. The engine's
// kill hangs while a Write blocks the output.
func (p *process) hurryWriters() {
	p.killed = true
	p.hurried = time.AfterFunc(p.run.bounds.Writer, p.out.CutOff)
}

// release ends the goroutines of a process and waits for them.
func (p *process) release() {
	p.out.CutOff()
	p.stream.Close()
	<-p.drained
	p.unwait()
	if p.exited != nil {
		for range p.exited {
		}
	}
	if p.hurried != nil {
		p.hurried.Stop()
	}
	if p.fed != nil {
		late := time.After(p.run.bounds.Reader)
		for open := true; open; {
			select {
			case _, open = <-p.fed:
			case <-late:
				return
			}
		}
	}
}
