package wire

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox"
)

// Fault is an error on its way: its text, what it is, and what it wraps.
type Fault struct {
	Text  string
	Is    []string   // names of what errors.Is finds in this error itself
	Op    sandbox.Op // of a *sandbox.Error, which wraps one
	Local string     // the client's reader or writer that this error is of
	Wraps []Fault
}

// The errors of a fleet that can be in a result.
var (
	ErrQueueFull  = errors.New("the queue is full")
	ErrStoreFull  = errors.New("the object store is full")
	ErrWorkerLost = errors.New("the worker was lost")
	ErrMaxDeliver = errors.New("the job was given up")
	ErrClientLost = errors.New("the client was lost")
	ErrNotAllowed = errors.New("the worker does not allow it")
)

// What bounds a fault.
const (
	maxDepth  = 24
	maxFaults = 200
	maxText   = 16 << 10
)

// known are the errors that survive, by name.
var known = map[string]error{
	"cleanup":       sandbox.ErrCleanup,
	"unsupported":   sandbox.ErrUnsupported,
	"output-lost":   sandbox.ErrOutputLost,
	"blocked":       sandbox.ErrWriterBlocked,
	"too-large":     sandbox.ErrTooLarge,
	"not-regular":   sandbox.ErrNotRegular,
	"closed":        sandbox.ErrClosed,
	"not-exist":     fs.ErrNotExist,
	"exist":         fs.ErrExist,
	"permission":    fs.ErrPermission,
	"invalid":       fs.ErrInvalid,
	"canceled":      context.Canceled,
	"deadline":      context.DeadlineExceeded,
	"eof":           io.EOF,
	"cut":           io.ErrUnexpectedEOF,
	"no-progress":   io.ErrNoProgress,
	"short-write":   io.ErrShortWrite,
	"not-found":     errdefs.ErrNotFound,
	"conflict":      errdefs.ErrConflict,
	"unauthorized":  errdefs.ErrUnauthenticated,
	"bad-argument":  errdefs.ErrInvalidArgument,
	"unavailable":   errdefs.ErrUnavailable,
	"denied":        errdefs.ErrPermissionDenied,
	"precondition":  errdefs.ErrFailedPrecondition,
	"engine-failed": errdefs.ErrInternal,
	"queue-full":    ErrQueueFull,
	"store-full":    ErrStoreFull,
	"worker-lost":   ErrWorkerLost,
	"max-deliver":   ErrMaxDeliver,
	"client-lost":   ErrClientLost,
	"not-allowed":   ErrNotAllowed,
}

// LocalError is an error of a reader or writer of the client's, which knows it itself.
type LocalError struct{ Name, Text string }

func (e *LocalError) Error() string { return e.Text }

// NewFault returns err as it is sent, nil for nil.
func NewFault(err error) *Fault {
	if err == nil {
		return nil
	}
	left := maxFaults
	f := newFault(err, 0, &left)
	return &f
}

func newFault(err error, depth int, left *int) Fault {
	*left--
	text := err.Error()
	f := Fault{Text: strings.Clone(text[:min(len(text), maxText)])}
	wrapped := unwrap(err)
	for name, sentinel := range known {
		if err == sentinel || len(wrapped) == 0 && errors.Is(err, sentinel) {
			f.Is = append(f.Is, name)
		}
	}
	switch e := err.(type) {
	case *sandbox.Error:
		f.Op, f.Text = e.Op, ""
	case *LocalError:
		f.Local = e.Name
	}
	for _, w := range wrapped {
		if w == nil || depth == maxDepth || *left <= 0 {
			break
		}
		f.Wraps = append(f.Wraps, newFault(w, depth+1, left))
	}
	return f
}

func unwrap(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if w := e.Unwrap(); w != nil {
			return []error{w}
		}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}

// Err returns the error, nil for nil. local returns the client's own error of a reader or
// writer, and never nil.
func (f *Fault) Err(local func(name string) error) error { return f.ErrOf(local, context.Canceled) }

// ErrOf is Err for a run that the client has cancelled: that is in the place of context.Canceled.
func (f *Fault) ErrOf(local func(name string) error, cancelled error) error {
	switch {
	case f == nil:
		return nil
	case f.Local != "":
		return local(f.Local)
	case len(f.Wraps) == 0 && slices.Equal(f.Is, []string{"canceled"}):
		return cancelled
	}
	e := &remoteError{text: f.Text}
	for _, name := range f.Is {
		if sentinel := known[name]; sentinel != nil {
			e.is = append(e.is, sentinel)
		}
	}
	for i := range f.Wraps {
		e.wraps = append(e.wraps, f.Wraps[i].ErrOf(local, cancelled))
	}
	if f.Op != "" && len(e.wraps) == 1 {
		return &sandbox.Error{Op: f.Op, Err: e.wraps[0]}
	}
	if cancelled != context.Canceled {
		e.text = strings.Replace(e.text, context.Canceled.Error(), cancelled.Error(), 1)
	}
	return e
}

func isOneOf(err error, all []error) bool {
	for _, one := range all {
		if err == one {
			return true
		}
	}
	return false
}

// remoteError is an error of a worker's.
type remoteError struct {
	text  string
	is    []error
	wraps []error
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() []error { return e.wraps }

func (e *remoteError) Is(target error) bool { return isOneOf(target, e.is) }
