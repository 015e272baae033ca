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
	OpValidate Op = "validate" // the job is invalid, or the engine would not enforce it
	OpPull     Op = "pull"     // the engine cannot be reached, or the image cannot be obtained
	OpStage    Op = "stage"    // the input cannot be read or unpacked, or its volumes cannot be made
	OpCreate   Op = "create"   // the engine refuses the container, or the staged input is lost
	OpStart    Op = "start"    // the container cannot be attached to or started, or is not as requested
	OpWait     Op = "wait"     // the run was cut off, or not all of the output could be had or delivered
	OpCollect  Op = "collect"  // an artifact cannot be read, although it may exist
	OpCleanup  Op = "cleanup"  // something may be left on the engine
)

// Error is the type of every error that this package returns. Its text is
// "sandbox: <op>: <cause>". If the clean-up failed as well, the cause joins the step's
// own, as errors.Join does, and an *Error with Op [OpCleanup].
type Error struct {
	Op  Op    // the step that failed
	Err error // the cause, never nil
}

func (e *Error) Error() string { return fmt.Sprintf("sandbox: %s: %v", e.Op, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrCleanup is wrapped by an error that names what may be left on the
	// engine. The Result may be complete nevertheless.
	ErrCleanup = errors.New("clean-up failed")
	// ErrUnsupported is wrapped if the engine cannot do what the run needs.
	ErrUnsupported = dockerx.ErrUnsupported
	// ErrOutputLost is wrapped if output of the command may be missing: the stream
	// ended while the container was running, broke off inside a frame, did not end
	// with the container, or ended as the connection to the engine broke.
	ErrOutputLost = process.ErrOutputLost
	// ErrWriterBlocked is wrapped if output did not reach Job.Stdout or Job.Stderr, or
	// artifacts did not reach Job.OutputTar, because a Write did not return in time.
	// Result.Logs contains the output. The rest of the Result is complete, too, unless the
	// context has ended.
	ErrWriterBlocked = stdio.ErrWriterBlocked
	// ErrTooLarge is wrapped in Result.Uncollected for a file that does not fit
	// into Limits.ArtifactBytes, and for a directory that was only partly read.
	ErrTooLarge = artifacts.ErrTooLarge
	// ErrNotRegular is wrapped in Result.Uncollected for a link, fifo, socket or
	// device, and for a path that leads through a link.
	ErrNotRegular = artifacts.ErrNotRegular
	// ErrClosed is wrapped by errors from a Runner that is closed, and from calls
	// that Close ended.
	ErrClosed = errors.New("runner closed")
)

// fail is the error of a step; nil stays nil.
func fail(op Op, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

// joinErrors is the one rule for what a run reports. First comes the end of its
// context, whatever the interrupted step says, with the reason: the caller's, or
// ErrClosed. Then comes the step's own failure. A failed clean-up is reported alone
// if the run has no other error; otherwise it is part of the step's cause. An end of
// the context that interrupted nothing is not an error.
//
// ended and reason are ctx.Err() and context.Cause(ctx) at the step's end. The result
// is an *Error, or nil.
func joinErrors(ended, reason, step, cleanup error) error {
	var left error
	if cleanup != nil {
		left = &Error{Op: OpCleanup, Err: fmt.Errorf("%w: %w", ErrCleanup, cleanup)}
	}
	if step == nil {
		return left
	}
	e := &Error{Op: OpWait, Err: step}
	errors.As(step, &e) // steps return nothing else
	err := e.Err
	if ended != nil && !errors.Is(err, reason) {
		err = fmt.Errorf("%w (%w)", reason, err)
	}
	if ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	if left != nil {
		err = errors.Join(err, left)
	}
	return &Error{Op: e.Op, Err: err}
}
