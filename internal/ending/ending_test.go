package ending

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

const bound = 30 * time.Second

func bounded(ctx context.Context) context.Context {
	return bounds.With(ctx, bounds.Bounds{Ending: bound})
}

type key struct{}

// Whatever begins it, and whoever uses it then, there is one deadline.
func TestOneDeadline(t *testing.T) {
	for name, begin := range map[string]func(e *Ending, cancel func()){
		"end of the context": func(_ *Ending, cancel func()) { cancel() },
		"Begin":              func(e *Ending, _ func()) { e.Begin() },
		"All":                func(e *Ending, _ func()) { e.All() },
		"Early":              func(e *Ending, _ func()) { e.Early() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
				defer cancel()
				e := New(bounded(ctx))
				defer e.Close()
				<-time.After(time.Hour)
				start := time.Now()
				begin(e, cancel)
				synctest.Wait()

				<-time.After(time.Second)
				cancel() // which begins nothing any more
				require.NoError(t, e.Early().Err())
				require.Equal(t, "kept", e.All().Value(key{}))
				<-e.Early().Done()
				require.Equal(t, bound*2/3, time.Since(start))
				require.NoError(t, e.All().Err())
				<-e.All().Done()
				require.Equal(t, bound, time.Since(start))
			})
		})
	}
}

// A bound of ours must not look like the caller's deadline.
func TestCauseIsNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(bounded(t.Context()))
		defer e.Close()
		<-e.All().Done()
		require.EqualError(t, context.Cause(e.Early()), "the run's ending took longer than 20s")
		require.EqualError(t, context.Cause(e.All()), "the run's ending took longer than 30s")
		require.NotErrorIs(t, context.Cause(e.All()), context.DeadlineExceeded)
	})
}

func TestBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the caller's reason")
		parent, cancel := context.WithCancelCause(t.Context())
		e := New(bounded(context.Background()))
		defer e.Close()
		free, release := e.Bind(parent) // before the ending
		defer release()
		begun, releaseBegun := e.Bind(parent)
		releaseBegun()
		require.Error(t, begun.Err(), "it was released")
		e.Begin()
		late, releaseLate := e.Bind(t.Context())
		defer releaseLate()
		both, releaseBoth := e.Bind(parent)
		defer releaseBoth()
		cancel(why)
		require.Equal(t, why, context.Cause(both))
		require.Equal(t, why, context.Cause(free))
		require.NoError(t, late.Err())
		<-e.Early().Done()
		synctest.Wait()
		require.EqualError(t, context.Cause(late), "the run's ending took longer than 20s")
	})
}

// What the caller does makes no difference to a run that goes on.
func TestBindOfARunThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(bounded(t.Context()))
		defer e.Close()
		ctx, release := e.Bind(t.Context())
		defer release()
		<-time.After(time.Hour)
		require.NoError(t, ctx.Err())
	})
}

// What had ended by itself was not cut off, and its ending has all of its time.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		e := New(bounded(ctx))
		defer e.Close()
		e.Revoke() // nothing
		was := e.Early()
		e.Revoke()
		require.Error(t, was.Err())
		free, release := e.Bind(t.Context())
		defer release()
		<-time.After(time.Hour)
		require.NoError(t, free.Err())

		cancel()
		synctest.Wait()
		start := time.Now()
		e.Revoke() // of the end of the context there is no undoing
		<-time.After(time.Second)
		<-e.All().Done()
		require.Equal(t, bound, time.Since(start))
	})
}

// In a bubble, a goroutine or a timer that stays fails the test.
func TestCloseAtOnceAndAsTheContextEnds(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			New(bounded(t.Context())).Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			e := New(bounded(ctx))
			<-time.After(time.Second)
			e.Close()
			require.ErrorIs(t, e.All().Err(), context.Canceled)
		})
	}
}
