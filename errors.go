package sandbox

import (
	"errors"
	"fmt"

	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/process"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// Op is the step of a run that failed.
type Op string

// The steps, in the order of a run.
const (
	OpValidate Op = "validate" // the job is not acceptable
	OpPull     Op = "pull"     // the engine cannot be reached, or the image cannot be had
	OpStage    Op = "stage"    // the input cannot be read or unpacked
	OpCreate   Op = "create"   // the engine refuses the container
	OpStart    Op = "start"    // the container cannot be attached to or started
	OpWait     Op = "wait"     // the run was cut off before its end was known
	OpCollect  Op = "collect"  // an artifact cannot be read, although it may exist
	OpCleanup  Op = "cleanup"  // something may be left on the engine
)

// Error is the type of every error of this package. Its text is
// "sandbox: <op>: <cause>".
type Error struct {
	Op  Op    // the step that failed
	Err error // the cause, never nil
}

func (e *Error) Error() string { return fmt.Sprintf("sandbox: %s: %v", e.Op, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrCleanup is wrapped by errors that name what may be left on the
	// engine. It can stand beside a complete Result.
	ErrCleanup = errors.New("clean-up failed")
	// ErrUnsupported is wrapped by errors about an engine that cannot do what
	// the run needs.
	ErrUnsupported = dockerx.ErrUnsupported
	// ErrOutputLost is wrapped when output of the command may be missing: its
	// stream ended while the container ran, or broke off inside a frame.
	ErrOutputLost = process.ErrOutputLost
	// ErrWriterBlocked is wrapped when output did not reach Job.Stdout or
	// Job.Stderr because a Write did not return in time. Logs has it.
	ErrWriterBlocked = stdio.ErrWriterBlocked
	// ErrTooLarge is why an artifact that does not fit into
	// Limits.ArtifactBytes is in Result.Uncollected.
	ErrTooLarge = artifacts.ErrTooLarge
	// ErrNotRegular is why a link, fifo, socket or device, or a path through a
	// link, is in Result.Uncollected.
	ErrNotRegular = artifacts.ErrNotRegular
	// ErrClosed is what a Runner returns after Close, and from the calls that
	// Close ended.
	ErrClosed = errors.New("runner closed")
)

// fail is the error of a step; nil stays nil.
func fail(op Op, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

// joinErrors is the one rule of what a run reports. First comes the end of its
// context, whatever the step that it broke off says, with its reason: the
// caller's, or ErrClosed. Then comes the step's own failure. A failed clean-up
// stands alone only beside a run without an error; otherwise it is joined. An end
// of the context that broke nothing off is no error.
//
// ended and reason are ctx.Err() and context.Cause(ctx) at the step's end.
func joinErrors(ended, reason, step, cleanup error) error {
	var e *Error
	if ended != nil && errors.As(step, &e) {
		err := e.Err
		if !errors.Is(err, reason) {
			err = fmt.Errorf("%w (%w)", reason, err)
		}
		if !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		step = &Error{Op: e.Op, Err: err}
	}
	if cleanup == nil {
		return step
	}
	left := &Error{Op: OpCleanup, Err: fmt.Errorf("%w: %w", ErrCleanup, cleanup)}
	if step == nil {
		return left
	}
	return errors.Join(step, left)
}
