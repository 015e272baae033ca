package dockerx

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/api/types/container"
)

// ErrGone is returned for a container that somebody else removed.
var ErrGone = errors.New("the container was removed by somebody else")

// errRestarted is returned for a container that ended and is running all the same.
var errRestarted = errors.New("the container was started again by somebody else")

// Exit is the confirmed end of a container's run: the container has certainly
// stopped if Err is nil.
type Exit struct {
	Code int
	Err  error // why there is no Code
}

// Wait registers for the next exit of a container that has not started yet and
// returns the channel on which exactly one Exit will come, at the latest when
// ctx ends. The channel is closed after it.
func (c *Client) Wait(ctx context.Context, name string) (<-chan Exit, error) {
	// The registration is bounded, the wait is not.
	call, end := context.WithCancelCause(ctx)
	late := time.AfterFunc(c.bounds.Call, func() { end(errNoAnswer(c.bounds.Call)) })
	results, errs := c.api.ContainerWait(call, name, container.WaitConditionNextExit)
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
		exit <- c.confirm(ctx, name, receive(results, errs))
	}()
	return exit, nil
}

// receive takes the one answer of the SDK's wait, which comes on either of two
// channels, the first of them without a buffer.
func receive(results <-chan container.WaitResponse, errs <-chan error) Exit {
	select {
	case r := <-results:
		if r.Error != nil {
			return Exit{Err: errors.New(r.Error.Message)}
		}
		return Exit{Code: int(r.StatusCode)}
	case err := <-errs:
		return Exit{Err: err}
	}
}

// confirm looks at the container until it is seen to have stopped: the engine
// also reports an exit, with status 0, for a container that is removed, and a
// wait whose connection broke says nothing at all. It gives up on an engine
// that has not answered for the bound of a call.
func (c *Client) confirm(ctx context.Context, name string, e Exit) Exit {
	silence := time.Now().Add(c.bounds.Call)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		state, err := c.Inspect(ctx, name)
		switch {
		case err == nil && state.Gone:
			return Exit{Err: ErrGone}
		case err == nil && state.Restarted:
			return Exit{Err: errRestarted}
		case err == nil && !state.Running && e.Err == nil:
			// A late duplicate of the exit event can overwrite the state's code.
			return e
		case err == nil && !state.Running:
			return Exit{Code: state.ExitCode}
		case err == nil && e.Err != nil:
			silence = time.Now().Add(c.bounds.Call)
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
