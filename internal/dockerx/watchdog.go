package dockerx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// watchdog ends a transfer in which the engine is silent for too long. A
// transfer as a whole has no bound: it may be large, or its other end slow.
type watchdog struct {
	timer *time.Timer
	bound time.Duration
	end   context.CancelCauseFunc
}

// watch returns a context that ends when the engine has been silent for too long,
// and the watchdog, which is running: the engine owes its first answer.
func watch(ctx context.Context, what string) (context.Context, *watchdog) {
	bound := bounds.From(ctx).Stall
	ctx, end := context.WithCancelCause(ctx)
	silent := func() { end(fmt.Errorf("%s: %w for %v", what, errSilent, bound)) }
	return ctx, &watchdog{timer: time.AfterFunc(bound, silent), bound: bound, end: end}
}

// errSilent is wrapped if the engine was silent for too long.
var errSilent = errors.New("no progress from the engine")

func (w *watchdog) stop() {
	w.timer.Stop()
	w.end(nil)
}

// reader is for what the engine sends: the clock runs while a Read waits.
func (w *watchdog) reader(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		w.timer.Reset(w.bound)
		n, err := r.Read(p)
		w.timer.Stop()
		return n, err
	})
}

// source is for what the engine is sent: the clock stands still while a Read
// waits for the caller, and runs until the engine asks for more or answers.
func (w *watchdog) source(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		w.timer.Stop()
		n, err := r.Read(p)
		w.timer.Reset(w.bound)
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
