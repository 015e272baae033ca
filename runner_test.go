package sandbox

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// absentImage is a job that a fakeEngine refuses.
var absentImage = Job{Image: "sha256:" + strings.Repeat("0", 64), Cmd: []string{"true"}}

// requireOp fails the test unless err is an *Error of that step. It need not be looked
// for with errors.As.
func requireOp(t *testing.T, want Op, err error) {
	t.Helper()
	require.IsType(t, (*Error)(nil), err)
	require.Equal(t, want, err.(*Error).Op, "%v", err)
}

func TestNewRefusesABadHost(t *testing.T) {
	for _, host := range []string{"ssh://", "engine", "unix", "://", "ftp://engine:21"} {
		r, err := New(Options{Host: host})
		require.Nil(t, r)
		requireOp(t, OpValidate, err)
		require.ErrorContains(t, err, "Options.Host", host)
	}
	t.Setenv("DOCKER_HOST", "ftp://engine:21")
	_, err := New(Options{})
	requireOp(t, OpPull, err)
	require.NotContains(t, err.Error(), "Options.Host", "the environment is to blame")
}

// An engine that comes up later is found then.
func TestNewNeedsNoEngine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	t.Setenv("DOCKER_HOST", "unix:///no/engine/is/here.sock")
	r, err := New(Options{Host: "unix://" + socket})
	require.NoError(t, err)
	for range 2 {
		_, err = r.RunOnce(context.Background(), absentImage)
		requireOp(t, OpPull, err)
		require.ErrorContains(t, err, "does not answer")
		report, err := r.Sweep(context.Background())
		requireOp(t, OpCleanup, err)
		require.NotErrorIs(t, err, ErrCleanup, "no removal failed")
		require.Equal(t, SweepReport{}, report)
	}

	(&fakeEngine{socket: socket}).start(t)
	_, err = r.RunOnce(context.Background(), absentImage)
	require.ErrorContains(t, err, "no such image")
	_, err = r.Sweep(context.Background())
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

func TestTheEngineIsAskedOnce(t *testing.T) {
	e := &fakeEngine{}
	r := e.runner(t)
	var runs sync.WaitGroup
	for range 8 {
		runs.Go(func() {
			_, err := r.RunOnce(context.Background(), absentImage)
			require.ErrorContains(t, err, "no such image")
		})
	}
	runs.Wait()
	require.Equal(t, 1, e.count("GET /info"), e.requests)
	require.Equal(t, 1, e.count("HEAD /_ping"), e.requests)
}

// A Runner can outlive its engine. The next one at that address is another version, up or
// down, with another clock.
func TestTheEngineIsAskedAgainAfterItsEnd(t *testing.T) {
	e := &fakeEngine{}
	r := e.runner(t)
	for i, version := range []string{"1.41", "1.48", "1.42"} {
		if i > 0 {
			e.stop()
			require.Eventually(t, func() bool { return !r.client.Connected() }, 5*time.Second, time.Millisecond)
			e.version, e.ahead = version, time.Duration(i)*time.Hour
			e.start(t)
		}
		for range 3 {
			_, err := r.RunOnce(context.Background(), absentImage)
			require.ErrorContains(t, err, "no such image", version)
		}
		engine, err := r.connect(context.Background())
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(e.ahead), r.client.Time(engine, time.Now()), 30*time.Second)
		require.Equal(t, version >= "1.42", engine.KnowsBuiltin)
		_, err = r.Sweep(context.Background())
		require.NoError(t, err)
	}
	require.Equal(t, 3, e.count("HEAD /_ping"), e.requests)
	require.Equal(t, 3+3, e.count("GET /info"), "and once for the time of each Sweep: %v", e.requests)
}

func TestOneConnectionServesRunsInARow(t *testing.T) {
	e := &fakeEngine{}
	r := e.runner(t)
	for range 5 {
		_, err := r.RunOnce(context.Background(), absentImage)
		require.ErrorContains(t, err, "no such image")
	}
	require.Equal(t, 1, e.connections)
}

// One caller's patience is not another's: who waits for the first answer of the
// engine can give up, and Close ends everybody's wait.
func TestWaitingForTheEngineEnds(t *testing.T) {
	e := &fakeEngine{asked: make(chan struct{})}
	r := e.runner(t)
	swept := make(chan error, 1)
	go func() {
		_, err := r.Sweep(context.Background())
		swept <- err
	}()
	<-e.asked
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := r.RunOnce(ctx, absentImage)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireOp(t, OpPull, err)
	require.Empty(t, swept, "the other one still waits")

	require.NoError(t, r.Close())
	err = <-swept
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, err, context.Canceled)
	requireOp(t, OpCleanup, err)
}

func TestClosedRunner(t *testing.T) {
	e := &fakeEngine{}
	r := e.runner(t)
	for range 2 {
		require.NoError(t, r.Close())
		res, err := r.RunOnce(context.Background(), absentImage)
		require.ErrorIs(t, err, ErrClosed)
		requireOp(t, OpValidate, err)
		require.Equal(t, Result{ExitCode: -1}, res)
		_, err = r.Sweep(context.Background())
		require.ErrorIs(t, err, ErrClosed)
		requireOp(t, OpCleanup, err)
	}
	require.Empty(t, e.requests)
}

func TestCloseIsBounded(t *testing.T) {
	r, err := New(Options{})
	require.NoError(t, err)
	ctx, leave, err := r.enter(bounds.With(context.Background(), bounds.Bounds{Ending: 100 * time.Millisecond}))
	require.NoError(t, err)
	err = r.Close()
	require.ErrorIs(t, err, ErrCleanup)
	requireOp(t, OpCleanup, err)
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), ErrClosed)
	leave()
	require.NoError(t, r.Close())
}

// panicky is a caller's own context, which panics when the package asks it for its bounds
// for the n-th time.
type panicky struct {
	context.Context
	left *atomic.Int64
}

func (c panicky) Value(key any) any {
	if strings.HasPrefix(fmt.Sprintf("%T", key), "bounds.") && c.left.Add(-1) == 0 {
		panic("as ordered")
	}
	return c.Context.Value(key)
}

// A run that panics in the caller's goroutine is over: nobody waits for it, and its
// objects are no longer those of an active run.
func TestPanicEndsTheRun(t *testing.T) {
	e := &fakeEngine{}
	r := e.runner(t)
	panics := 0
	for n := int64(1); ; n++ {
		id := owner.RandomID()
		ctx := panicky{owner.WithID(context.Background(), id), new(atomic.Int64)}
		ctx.left.Store(n)
		ended := func() (ended bool) {
			defer func() { ended = recover() == nil }()
			r.RunOnce(ctx, absentImage)
			return true
		}()
		require.Empty(t, owner.KeepReason(owner.Labels(id, time.Time{}), time.Now()))
		if ended {
			break
		}
		panics++
	}
	require.Greater(t, panics, 3)
	ctx := panicky{context.Background(), new(atomic.Int64)}
	ctx.left.Store(1)
	require.Panics(t, func() { r.Sweep(ctx) })
	start := time.Now()
	require.NoError(t, r.Close())
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestNilContext(t *testing.T) {
	r := (&fakeEngine{}).runner(t)
	var none context.Context
	res, err := r.RunOnce(none, absentImage)
	requireOp(t, OpValidate, err)
	require.ErrorContains(t, err, "ctx is nil")
	require.Equal(t, Result{ExitCode: -1}, res)
	_, err = r.Sweep(none)
	requireOp(t, OpCleanup, err)
	require.ErrorContains(t, err, "ctx is nil")
}
