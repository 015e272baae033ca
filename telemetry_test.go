package sandbox

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/spantest"
)

// panicHandler is a logger's handler that panics.
type panicHandler struct{ slog.Handler }

func (panicHandler) Handle(context.Context, slog.Record) error { panic("the log is closed") }

// A logger that panics keeps nothing from being removed.
func TestLoggerThatPanics(t *testing.T) {
	e := &fakeEngine{}
	logger := slog.New(panicHandler{slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelDebug})})
	_, run := newRun(t.Context(), e.runner(t).client, logger)
	removed := 0
	run.undo.Push(cleanup.Container, "x", func(context.Context) error { removed++; return nil })
	run.told.Step(stepValidate)
	end := sync.OnceValue(run.end)
	require.Panics(t, func() { end() })
	require.Panics(t, func() { end() }, "it is the same panic")
	require.Equal(t, 1, removed)
}

// lateHandler panics at the line of one step.
type lateHandler struct{ slog.Handler }

func (h lateHandler) Handle(_ context.Context, r slog.Record) (err error) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "step" && a.Value.String() == stepPull {
			panic("the log is closed")
		}
		return true
	})
	return nil
}

// A logger that panics when the clean-up begins leaves no span open.
func TestLoggerThatPanicsAtTheEnd(t *testing.T) {
	spans := spantest.Record(t)
	e := &fakeEngine{}
	r := e.runner(t)
	r.options.Logger = slog.New(lateHandler{slog.NewTextHandler(new(bytes.Buffer), &slog.HandlerOptions{Level: slog.LevelDebug})})
	require.Panics(t, func() { r.RunOnce(t.Context(), absentImage) })
	told := 0
	for _, s := range spans.All() {
		if s.Parent == "" || s.Parent == "sandbox run" {
			require.Equal(t, 1, s.Ends, s.Name)
			told++
		}
	}
	require.GreaterOrEqual(t, told, 3)
}

// A run that a panic ends tells also what may be left.
func TestPanicTellsWhatIsLeft(t *testing.T) {
	o := panicked(errors.New("container x may be left"))
	require.True(t, o.Left)
	require.ErrorContains(t, o.Err, "container x may be left")
	require.False(t, panicked(nil).Left)
}
