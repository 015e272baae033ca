// Package ending gives one deadline to all that a run still does when it has been cut
// off: the kill, the rest of the output, the artifacts of a command that timed out,
// and the clean-up.
package ending

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// Ending is the ending of one run. It begins by whatever comes first: the end of the
// run's context, or a call of Begin, All or Early. It is safe for concurrent use.
type Ending struct {
	run    context.Context
	bound  time.Duration
	unhook func() bool

	mu    sync.Mutex
	begun *parts // nil = not yet
}

// parts are the contexts of an ending that has begun.
type parts struct {
	all, early context.Context
	cancel     context.CancelFunc
}

// New returns the ending of a run with the context ctx. It must be closed.
func New(ctx context.Context) *Ending {
	e := &Ending{run: ctx, bound: bounds.From(ctx).Ending}
	e.unhook = context.AfterFunc(ctx, e.Begin)
	return e
}

// Begin begins the ending, unless it has begun.
func (e *Ending) Begin() { e.parts() }

// All begins the ending and returns the context of all of it.
func (e *Ending) All() context.Context { return e.parts().all }

// Early begins the ending and returns the context of what comes before the clean-up,
// for which it leaves a third of the time.
func (e *Ending) Early() context.Context { return e.parts().early }

func (e *Ending) parts() *parts {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun == nil {
		share := e.bound / 3 * 2
		all, cancelAll := context.WithTimeoutCause(context.WithoutCancel(e.run), e.bound, errLate(e.bound))
		early, cancelEarly := context.WithTimeoutCause(all, share, errLate(share))
		e.begun = &parts{all, early, func() { cancelEarly(); cancelAll() }}
	}
	return e.begun
}

// errLate is no context.DeadlineExceeded: that is for the caller's own deadline.
func errLate(bound time.Duration) error {
	return fmt.Errorf("the run's ending took longer than %v", bound)
}

// Revoke undoes Begin, unless the run's context has ended: what was to be cut off had
// ended by itself. The contexts of the ending end.
func (e *Ending) Revoke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun != nil && e.run.Err() == nil {
		e.begun.cancel()
		e.begun = nil
	}
}

// Bind returns a context that ends with ctx and, if the ending has begun, with its
// early part.
func (e *Ending) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	e.mu.Lock()
	begun := e.begun
	e.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	if begun == nil {
		return ctx, func() { cancel(nil) }
	}
	stop := context.AfterFunc(begun.early, func() { cancel(context.Cause(begun.early)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Close releases the ending's contexts.
func (e *Ending) Close() {
	e.unhook()
	e.parts().cancel() // also if it begins in this moment
}
