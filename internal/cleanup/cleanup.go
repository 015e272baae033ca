// Package cleanup undoes what was done, in a bounded time, whatever fails.
package cleanup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// Kind is a kind of object. All objects of one kind are removed before those of the next.
type Kind int

// The engine keeps a volume as long as a container refers to it.
const (
	Container Kind = iota
	Volume
	kinds
)

// Teardown undoes a run's steps. Undoing is pushed before the step is taken, since a
// step can succeed on the engine although its answer is lost. The zero value is ready to
// use, by several goroutines.
type Teardown struct {
	mu    sync.Mutex
	steps [kinds][]step
}

type step struct {
	name string
	undo func(context.Context) error
}

// Push adds what removes the object that is made next. No two of a kind have one name.
func (t *Teardown) Push(kind Kind, name string, undo func(context.Context) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps[kind] = append(t.steps[kind], step{name, undo})
}

// Create makes an object, and pushes its removal before. When the engine's answer is lost, the
// removal has to reckon with an object that appears late.
func (t *Teardown) Create(ctx context.Context, kind Kind, name string, remove func(ctx context.Context, unsure time.Duration) error, do func(context.Context) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	limits := bounds.From(ctx)
	var unsure time.Duration
	t.Push(kind, name, func(ctx context.Context) error { return remove(ctx, unsure) })
	err := do(ctx)
	switch {
	case dockerx.OutcomeKnown(err):
	case ctx.Err() != nil: // it was given up early
		unsure = max(limits.Settle, limits.Rest)
	default:
		unsure = limits.Settle
	}
	return err
}

// Remove removes one object before the others. It stays with them if that fails.
func (t *Teardown) Remove(ctx context.Context, kind Kind, name string) error {
	t.mu.Lock()
	i := slices.IndexFunc(t.steps[kind], func(s step) bool { return s.name == name })
	if i < 0 {
		t.mu.Unlock()
		return nil
	}
	taken := t.steps[kind][i]
	t.steps[kind] = slices.Delete(t.steps[kind], i, i+1)
	t.mu.Unlock()
	err := taken.undo(ctx)
	if err != nil {
		t.Push(kind, name, taken.undo)
	}
	return err
}

// Run undoes everything before ctx, which must have a deadline, ends. A step that
// fails or hangs does not keep the rest from being undone: each may take half of the
// time that is left, and is taken even when none is, so that it can name what may be
// left. All errors are joined. A step that panics is told when the others are done.
func (t *Teardown) Run(ctx context.Context) error {
	t.mu.Lock()
	steps := t.steps
	t.steps = [kinds][]step{}
	t.mu.Unlock()
	var errs []error
	var panicked any
	for kind, of := range steps {
		later := slices.ContainsFunc(steps[kind+1:], func(of []step) bool { return len(of) > 0 })
		why, err := sideBySide(ctx, of, later)
		errs = append(errs, err)
		if panicked == nil {
			panicked = why
		}
	}
	if panicked != nil {
		panic(panicked)
	}
	return errors.Join(errs...)
}

// atOnce bounds how many steps are taken side by side: an image can ask for any number of
// volumes.
const atOnce = 4

// sideBySide takes steps of one kind; later tells that others follow.
func sideBySide(ctx context.Context, steps []step, later bool) (panicked any, err error) {
	errs, panics := make([]error, len(steps)), make([]any, len(steps))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, s := range steps {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { panics[i] = recover(); <-slots }()
			errs[i] = s.within(ctx, later || len(steps) > atOnce)
		})
	}
	all.Wait()
	if i := slices.IndexFunc(panics, func(why any) bool { return why != nil }); i >= 0 {
		panicked = panics[i]
	}
	return panicked, errors.Join(errs...)
}

// within takes a step in the time that is left, or in half of it if others follow.
func (s step) within(ctx context.Context, followed bool) error {
	end, _ := ctx.Deadline()
	share := time.Until(end)
	if followed {
		share /= 2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, share, errLate)
	defer cancel()
	return s.undo(ctx)
}

var errLate = errors.New("clean-up did not finish in time")
