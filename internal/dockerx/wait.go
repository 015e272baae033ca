package dockerx

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// ErrGone is returned for a container that another client removed.
var ErrGone = errors.New("the container was removed by another client")

// errStarted is returned for a container that is not in its first state any more.
var errStarted = errors.New("the container was started by another client")

// errRestarted is returned for a container that ended and is running all the same.
var errRestarted = errors.New("the container was started again by another client")

// Exit is the confirmed end of a container's run: the container has certainly
// stopped if Err is nil.
type Exit struct {
	Code      int
	OOMKilled bool          // the kernel killed some process in it for memory
	Run       string        // which of the container's runs it was, for Unchanged
	Ran       time.Duration // from its start to its exit, by the engine's clock
	Broke     bool          // the wait's connection broke
	Alive     time.Time     // when the engine was first seen to be there after that, and the container to run; zero = never
	Err       error         // why there is no Code
}

// Wait registers for the next exit of a container that has not started yet and
// returns the channel on which exactly one Exit will come, at the latest when
// ctx ends. The channel is closed after it.
func (c *Client) Wait(ctx context.Context, name string) (<-chan Exit, error) {
	// The registration is bounded, the wait is not.
	call, end := context.WithCancelCause(ctx)
	bound := bounds.From(ctx).Call
	late := time.AfterFunc(bound, func() { end(errNoAnswer(bound)) })
	results, errs := c.api().ContainerWait(call, name, container.WaitConditionNextExit)
	late.Stop()
	select {
	case err := <-errs:
		err = cause(call, err)
		end(nil)
		return nil, err
	default:
	}
	exit := make(chan Exit, 1)
	go func() {
		defer end(nil)
		defer close(exit)
		exit <- c.confirm(ctx, name, c.receive(ctx, name, results, errs, end))
	}()
	return exit, nil
}

// receive takes the one answer of the SDK's wait, which comes on either of two
// channels, the first of them without a buffer. Podman before 6 can miss an exit that comes
// quickly (podman#28514), so there it also looks now and then.
func (c *Client) receive(ctx context.Context, name string, results <-chan container.WaitResponse, errs <-chan error, end context.CancelCauseFunc) Exit {
	var look <-chan time.Time
	if c.podman.Load() {
		ticker := time.NewTicker(podmanLook)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case r := <-results:
			return exitOf(r)
		case err := <-errs:
			return Exit{Err: err, Broke: true}
		case <-look:
			state, err := c.Inspect(ctx, name)
			if err != nil || state.Running {
				continue
			}
			end(nil)
			select { // the SDK's goroutine has ended then
			case r := <-results:
				return exitOf(r)
			case err := <-errs:
				if !errors.Is(err, context.Canceled) { // the connection had broken before
					return Exit{Err: err, Broke: true}
				}
			}
			return exitOf(container.WaitResponse{StatusCode: int64(state.ExitCode)})
		}
	}
}

// exitOf is the exit that an engine answered. A negative status is Podman's for one that it
// could not learn, for example since the container's monitor was killed, and also for one
// that it will yet know.
func exitOf(r container.WaitResponse) Exit {
	switch {
	case r.Error != nil:
		return Exit{Err: errors.New(r.Error.Message)}
	case r.StatusCode < 0:
		return Exit{Err: errUnknownStatus}
	}
	return Exit{Code: int(r.StatusCode)}
}

var errUnknownStatus = errors.New("the engine does not know the exit status")

// podmanLook is how often a container is looked at whose exit could have been missed.
const podmanLook = 500 * time.Millisecond

// confirm looks at the container until it is seen to have stopped: the engine
// also reports an exit, with status 0, for a container that is removed, and a
// wait whose connection broke says nothing at all. One answer may be lost: it
// gives up on an engine that has been silent for the bound of two calls.
func (c *Client) confirm(ctx context.Context, name string, e Exit) Exit {
	patience := 2 * bounds.From(ctx).Call
	silence := time.Now().Add(patience)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		state, err := c.Inspect(ctx, name)
		switch {
		case err == nil && state.Gone:
			return Exit{Err: ErrGone}
		case err == nil && state.Restarted:
			return Exit{Err: errRestarted}
		case err == nil && !state.Running && e.Err != nil && state.ExitCode < 0:
			return Exit{Err: errors.Join(e.Err, errUnknownStatus), Broke: e.Broke}
		case err == nil && !state.Running && e.Err == nil:
			// A late duplicate of the exit event can overwrite the state's code.
			return exited(state, e)
		case err == nil && !state.Running:
			e.Code = state.ExitCode
			return exited(state, e)
		case err == nil && e.Err != nil:
			silence = time.Now().Add(patience)
			if e.Alive.IsZero() {
				e.Alive = time.Now()
			}
		case err == nil:
			err = errors.New("the engine reported an exit, but the container has not stopped")
		}
		if ctx.Err() != nil {
			return Exit{Err: context.Cause(ctx)}
		}
		if time.Now().After(silence) {
			return Exit{Err: errors.Join(e.Err, err)}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func exited(s State, e Exit) Exit {
	return Exit{Code: e.Code, OOMKilled: s.OOMKilled, Run: s.StartedAt, Ran: s.Ran, Broke: e.Broke, Alive: e.Alive}
}

// Unchanged tells whether a container has not been started again since an exit.
func (c *Client) Unchanged(ctx context.Context, name string, e Exit) error {
	state, err := c.Inspect(ctx, name)
	switch {
	case err != nil:
		return err
	case state.Gone:
		return ErrGone
	case state.Running || state.StartedAt != e.Run:
		return errRestarted
	}
	return nil
}
