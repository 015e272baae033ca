package cleanup

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
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

// order notes what is undone.
type order struct {
	mu     sync.Mutex
	undone []string
}

func (o *order) note(name string) func(context.Context) error {
	return func(context.Context) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.undone = append(o.undone, name)
		return nil
	}
}

func TestContainersBeforeVolumes(t *testing.T) {
	var undo Teardown
	var o order
	undo.Push(Volume, "a", o.note("volume a"))
	undo.Push(Container, "a", o.note("container a"))
	undo.Push(Volume, "b", o.note("volume b"))
	undo.Push(Container, "b", o.note("container b"))
	require.NoError(t, undo.Run(inAMinute(t)))
	require.Len(t, o.undone, 4)
	require.ElementsMatch(t, []string{"container a", "container b"}, o.undone[:2])
	require.NoError(t, undo.Run(inAMinute(t)))
	require.Len(t, o.undone, 4, "nothing is undone twice")
}

// Two steps of one kind that wait for each other end, so they are taken side by side.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var undo Teardown
		meet := make(chan struct{})
		undo.Push(Container, "a", func(context.Context) error { meet <- struct{}{}; return nil })
		undo.Push(Container, "b", func(context.Context) error { <-meet; return nil })
		require.NoError(t, undo.Run(inAMinute(t)))
	})
}

func TestNotAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var undo Teardown
		var under, most atomic.Int64
		for i := range 100 {
			undo.Push(Volume, strconv.Itoa(i), func(context.Context) error {
				most.Store(max(most.Load(), under.Add(1)))
				defer under.Add(-1)
				<-time.After(time.Second)
				return nil
			})
		}
		require.NoError(t, undo.Run(inAMinute(t)))
		require.EqualValues(t, atOnce, most.Load())
	})
}

func TestRemoveOne(t *testing.T) {
	var undo Teardown
	var o order
	refused := errors.New("refused")
	fails := true
	undo.Push(Volume, "a", o.note("volume a"))
	undo.Push(Container, "a", func(ctx context.Context) error {
		if fails {
			return refused
		}
		return o.note("container a")(ctx)
	})
	undo.Push(Container, "b", o.note("container b"))
	require.ErrorIs(t, undo.Remove(inAMinute(t), Container, "a"), refused)
	fails = false
	require.NoError(t, undo.Remove(inAMinute(t), Container, "a"), "it stayed")
	require.Equal(t, []string{"container a"}, o.undone)
	require.NoError(t, undo.Remove(inAMinute(t), Container, "a"), "it is gone")
	require.NoError(t, undo.Run(inAMinute(t)))
	require.Equal(t, []string{"container a", "container b", "volume a"}, o.undone)
}

func TestGoesOnAfterFailures(t *testing.T) {
	first, last := errors.New("first"), errors.New("last")
	var undo Teardown
	var undone atomic.Int64
	for i, err := range []error{first, nil, last} {
		kind := Volume
		if i == 0 {
			kind = Container
		}
		undo.Push(kind, strconv.Itoa(i), func(context.Context) error { undone.Add(1); return err })
	}
	err := undo.Run(inAMinute(t))
	require.EqualValues(t, 3, undone.Load())
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, last)
}

func TestGoesOnAfterAPanic(t *testing.T) {
	var undo Teardown
	var o order
	undo.Push(Volume, "a", o.note("volume a"))
	undo.Push(Container, "a", func(context.Context) error { panic("as ordered") })
	undo.Push(Container, "b", o.note("container b"))
	require.PanicsWithValue(t, "as ordered", func() { undo.Run(inAMinute(t)) })
	require.Equal(t, []string{"container b", "volume a"}, o.undone)
}

// hangs is undone when its context ends, and not before.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var undo Teardown
		var o order
		undo.Push(Container, "a", hangs)
		undo.Push(Container, "b", hangs)
		undo.Push(Volume, "a", o.note("volume a"))
		undo.Push(Volume, "b", hangs)
		start := time.Now()
		err := undo.Run(inAMinute(t))
		require.Error(t, err)
		require.Equal(t, time.Since(start), time.Minute, "the bound is for all of it")
		require.Equal(t, []string{"volume a"}, o.undone)
		// It is our bound that was reached, not the caller's deadline.
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A step that hangs must leave the others time to be undone: those of the next kind, and
// those that wait for it.
func TestLeavesTimeForTheRest(t *testing.T) {
	for name, kind := range map[string]Kind{"next kind": Volume, "same kind": Container} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var undo Teardown
				for i := range atOnce {
					undo.Push(Container, strconv.Itoa(i), hangs)
				}
				var alive error = errors.New("not undone")
				undo.Push(kind, "last", func(ctx context.Context) error { alive = ctx.Err(); return nil })
				require.Error(t, undo.Run(inAMinute(t)))
				require.NoError(t, alive)
			})
		})
	}
}

// Without time left, every step is taken all the same, to name what may be left.
func TestWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := inAMinute(t)
		<-ctx.Done()
		var undo Teardown
		var undone atomic.Int64
		for i := range 2 * atOnce {
			undo.Push(Kind(i%2), strconv.Itoa(i), func(ctx context.Context) error { undone.Add(1); return hangs(ctx) })
		}
		require.Error(t, undo.Run(ctx))
		require.EqualValues(t, 2*atOnce, undone.Load())
	})
}
