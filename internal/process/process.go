// Package process runs the command of a container that was created: attach, start,
// wait; and, when something ends it, kill, wait again and drain.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/ending"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// Options are what a container's run has beside the container.
type Options struct {
	Stdin          *stdio.Source // nil = empty
	Stdout, Stderr io.Writer     // the caller's, nil = none
	LogBytes       int64         // cap of Logs
	Timeout        time.Duration // 0 = none
	MemoryCapped   bool          // it can be killed for memory
	Ending         *ending.Ending
	// Verify is asked before the start about what the engine made of the container.
	Verify dockerx.Check
}

// Outcome is what a container's run brought, as far as it got.
type Outcome struct {
	Started     bool         // false = it did not come to the wait for its exit
	Exit        dockerx.Exit // its Err says why there is no status
	Logs        []byte
	LogsDropped int64
	Said        int64 // bytes of output, whether or not they are in Logs
	OOMKilled   bool
	TimedOut    bool  // the timeout's kill ended it
	Undelivered error // why a caller's writer did not get all of the output; the rest is complete
}

// KilledStatus is the exit status after SIGKILL.
const KilledStatus = 128 + 9

// Run runs a created container to its end. An error says that it could not be
// started, or that its run was cut off.
func Run(ctx context.Context, client *dockerx.Client, name string, o Options) (Outcome, error) {
	p := newProcess(client, name, bounds.From(ctx), o)
	if err := p.start(ctx, o); err != nil {
		return p.outcome(), err
	}
	end := p.await(ctx, o.Timeout)
	p.release()
	out := p.outcome()
	out.Started, out.Exit, out.Undelivered = true, end.exit, end.undelivered
	if exit := end.exit; exit.Err == nil {
		out.OOMKilled = exit.OOMKilled || o.MemoryCapped && p.oomKilled(ctx, exit.Code == KilledStatus && !p.killed)
		// A job that ended before our kill reached it has its own status.
		out.TimedOut = end.timedOut && exit.Code == KilledStatus
	}
	return out, end.err
}

// process is a started container. Its output is drained continuously, since every
// engine call about it would hang otherwise. The wait for its exit is registered
// before its start.
type process struct {
	client  *dockerx.Client
	name    string
	bounds  bounds.Bounds
	verify  dockerx.Check
	ending  *ending.Ending
	out     *stdio.Output
	stream  *dockerx.Attachment // nil = not attached
	drained chan struct{}       // closed after the next two are set
	ended   time.Time           // when the output ended
	lost    error               // why the output is not complete
	input   *stdio.Source       // nil = none
	fed     <-chan error        // closed at the end of Stdin, after its error if there is one; nil without Stdin
	exited  <-chan dockerx.Exit
	unwait  context.CancelFunc
	killed  bool        // by us
	late    *time.Timer // cuts the writers off when the run has been cut off
}

func newProcess(client *dockerx.Client, name string, b bounds.Bounds, o Options) *process {
	return &process{client: client, name: name, bounds: b, verify: o.Verify, ending: o.Ending, input: o.Stdin, drained: make(chan struct{})}
}

// outcome has the output; the process has ended, or was not attached to.
func (p *process) outcome() (out Outcome) {
	if p.out != nil {
		out.Logs, out.LogsDropped = p.out.Logs()
		out.Said = p.out.Said()
	}
	return out
}

// start attaches, registers for the exit and starts, in this order, so that
// neither a byte nor the exit is missed. Beside an error the process has ended.
func (p *process) start(ctx context.Context, o Options) (err error) {
	if p.stream, err = p.client.Attach(ctx, p.name, p.input != nil); err != nil {
		return err
	}
	p.out = stdio.NewOutput(o.LogBytes, o.Stdout, o.Stderr)
	go p.drainStream() // release waits for it
	if err = p.register(ctx); err == nil {
		err = p.begin(ctx)
	}
	if err != nil {
		p.release()
		return err
	}
	if p.input != nil {
		p.fed = stdio.Feed(p.stream, p.stream.CloseWrite, p.input) // release waits for it
	}
	return nil
}

// drainStream reads the output to its end.
func (p *process) drainStream() {
	p.lost = p.stream.Demultiplex(p.out.Stdout(), p.out.Stderr())
	p.ended = time.Now()
	p.out.End()
	close(p.drained)
}

func (p *process) isDrained() bool {
	select {
	case <-p.drained:
		return true
	default:
		return false
	}
}

// register registers for the exit. The end of ctx ends the registration but not the
// wait, which the kill that follows needs.
func (p *process) register(ctx context.Context) (err error) {
	waiting, unwait := context.WithCancelCause(context.WithoutCancel(ctx))
	p.unwait = func() { unwait(nil) }
	stop := context.AfterFunc(ctx, func() { unwait(context.Cause(ctx)) })
	p.exited, err = p.client.Wait(waiting, p.name)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// begin starts the container, unless the output's stream has ended already.
func (p *process) begin(ctx context.Context) error {
	if p.isDrained() {
		return errEarly
	}
	err := p.client.Start(ctx, p.name, func(got container.InspectResponse) error {
		if p.isDrained() { // the look at the container took a moment
			return errEarly
		}
		return p.verify(got)
	})
	switch {
	case errors.Is(err, errEarly):
		return errEarly
	case !dockerx.OutcomeKnown(err):
		p.drainAfterLostStart()
	}
	return err
}

var errEarly = fmt.Errorf("%w: the stream ended before the start", ErrOutputLost)

// drainAfterLostStart kills a command that may run although the answer to its start
// was lost, and waits for its output.
func (p *process) drainAfterLostStart() {
	p.cutOff()
	ctx := p.ending.Early()
	killed, err := p.client.Kill(ctx, p.name)
	if err == nil && !killed {
		var state dockerx.State
		state, err = p.client.Inspect(ctx, p.name)
		killed = !state.Running && !state.Gone
	}
	if err == nil && killed { // else it never ran, or cannot be asked about
		p.drainedWithin(p.bounds.Writer + p.bounds.Drain)
	}
}

// cutOff begins the run's ending: no Read of the caller's begins any more, and the
// writers have a last moment. The engine's kill hangs while a Write blocks the output.
func (p *process) cutOff() {
	p.ending.Begin()
	p.input.Shut()
	if p.late == nil {
		p.late = time.AfterFunc(p.bounds.Writer, p.out.CutOff)
	}
}

// resume undoes cutOff, but for the reader, of which nobody needs anything any more.
func (p *process) resume() {
	if p.late.Stop() {
		p.late = nil
	}
	p.ending.Revoke()
}

// release ends the goroutines of a process and waits for them, but not for a caller's
// Read or Write that is under way.
func (p *process) release() {
	p.input.Shut()
	p.out.CutOff()
	p.stream.Close()
	<-p.drained
	p.out.Wait()
	p.unwait()
	if p.exited != nil {
		for range p.exited {
		}
	}
	if p.late != nil {
		p.late.Stop()
	}
	if p.fed != nil && !p.input.Busy() {
		for range p.fed {
		}
	}
}
