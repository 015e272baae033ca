package cleanup

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func inAMinute(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("our bound"))
	t.Cleanup(cancel)
	return ctx
}

func TestStackLastFirst(t *testing.T) {
	for _, names := range []string{"", "a", "abc"} {
		var undo Stack
		undone := ""
		for _, name := range names {
			undo.Push(func(context.Context) error { undone = string(name) + undone; return nil })
		}
		require.NoError(t, undo.Run(inAMinute(t)))
		require.Equal(t, names, undone, "the order is the reverse of the pushes")
		require.NoError(t, undo.Run(inAMinute(t)))
		require.Equal(t, names, undone, "nothing is undone twice")
	}
}

func TestStackGoesOnAfterFailures(t *testing.T) {
	first, last := errors.New("first"), errors.New("last")
	var undo Stack
	undone := 0
	for _, err := range []error{first, nil, last} {
		undo.Push(func(context.Context) error { undone++; return err })
	}
	err := undo.Run(inAMinute(t))
	require.Equal(t, 3, undone)
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, last)
}

func TestStackGoesOnAfterAPanic(t *testing.T) {
	var undo Stack
	undone := 0
	for _, panics := range []bool{false, true, false} {
		undo.Push(func(context.Context) error {
			undone++
			if panics {
				panic("as ordered")
			}
			return nil
		})
	}
	require.PanicsWithValue(t, "as ordered", func() { undo.Run(inAMinute(t)) })
	require.Equal(t, 3, undone)
}

// hangs is undone when its context ends, and not before.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestStackIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var undo Stack
		undone := 0
		undo.Push(func(context.Context) error { undone++; return nil })
		undo.Push(hangs)
		undo.Push(hangs)
		start := time.Now()
		err := undo.Run(inAMinute(t))
		require.Error(t, err)
		require.LessOrEqual(t, time.Since(start), time.Minute, "the bound is for all of it")
		require.Equal(t, 1, undone)
		// It is our bound that was reached, not the caller's deadline.
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A step that hangs must leave the others time to be undone.
func TestStackLeavesTimeForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var undo Stack
		var alive error = errors.New("not undone")
		undo.Push(func(ctx context.Context) error { alive = ctx.Err(); return nil })
		undo.Push(hangs)
		require.Error(t, undo.Run(inAMinute(t)))
		require.NoError(t, alive)
	})
}

// Without time left, every step is taken all the same, to name what may be left.
func TestStackWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := inAMinute(t)
		<-ctx.Done()
		var undo Stack
		undone := 0
		for range 3 {
			undo.Push(func(ctx context.Context) error { undone++; return hangs(ctx) })
		}
		require.Error(t, undo.Run(ctx))
		require.Equal(t, 3, undone)
	})
}
