// Package cleanup undoes what was done, in a bounded time, whatever fails.
package cleanup

import (
	"context"
	"errors"
	"time"
)

// Stack undoes a run's steps, the last first. Undoing is pushed before the
// step is taken, since a step can succeed on the engine although its answer is
// lost. The zero value is ready to use.
type Stack struct {
	steps []func(context.Context) error
}

// Push adds what undoes the next step.
func (t *Stack) Push(undo func(context.Context) error) { t.steps = append(t.steps, undo) }

// Last undoes the last step alone. It stays if that fails.
func (t *Stack) Last(ctx context.Context) error {
	last := len(t.steps) - 1
	if err := t.steps[last](ctx); err != nil {
		return err
	}
	t.steps = t.steps[:last]
	return nil
}

// Run undoes everything before ctx, which must have a deadline, ends. A step that
// fails or hangs does not keep the rest from being undone: each may take half of the
// time that is left, and is taken even when none is, so that it can name what may be
// left. All errors are joined. A step that panics is told when the others are done.
func (t *Stack) Run(ctx context.Context) error {
	end, _ := ctx.Deadline()
	var errs []error
	var panicked any
	defer func() {
		if panicked != nil {
			panic(panicked)
		}
	}()
	for len(t.steps) > 0 {
		last := len(t.steps) - 1
		undo := t.steps[last]
		t.steps = t.steps[:last]
		share := time.Until(end)
		if last > 0 {
			share /= 2
		}
		func() {
			defer func() {
				if why := recover(); why != nil {
					panicked = why
				}
			}()
			step, cancel := context.WithTimeoutCause(ctx, share, errLate)
			defer cancel()
			errs = append(errs, undo(step))
		}()
	}
	return errors.Join(errs...)
}

var errLate = errors.New("clean-up did not finish in time")
