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

// A run that a panic ends tells also what may be left.
func TestPanicTellsWhatIsLeft(t *testing.T) {
	o := panicked(errors.New("container x may be left"))
	require.True(t, o.Left)
	require.ErrorContains(t, o.Err, "container x may be left")
	require.False(t, panicked(nil).Left)
}
