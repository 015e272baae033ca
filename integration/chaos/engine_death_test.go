//go:build docker

package chaos_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// interruptedBounds are short, so that a run gives up soon on an engine that is gone.
// The clean-up is long enough for the engine to start again.
func interruptedBounds() bounds.Bounds {
	b := bounds.Default()
	b.Call, b.Slow, b.Stall = 3*time.Second, 6*time.Second, 3*time.Second
	b.Drain, b.Ending = time.Second, 15*time.Second
	b.Writer, b.OOM = 0, 0 // no writer is slow
	b.Settle = 300 * time.Millisecond
	b.Grace = time.Second
	return b
}

// TestEngineDies kills an engine in the middle of runs, with SIGKILL, and stops it.
func TestEngineDies(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"live-restore off": nil,
		"live-restore on":  {"--live-restore"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &interruptedEngine{PrivateEngine: enginetest.NewPrivateEngine(t, enginetest.Setup{Flags: flags})}
			m.image = m.Busybox(t)
			t.Run("and comes back", m.comesBack)
			t.Run("for good", m.forGood)
			t.Run("hangs", m.hangs)
		})
	}
}

type interruptedEngine struct {
	*enginetest.PrivateEngine
	image   string
	closing sync.WaitGroup // of the Runners, which can last as long as the runs
}

// promptAfterDeath bounds the time until a run reports that its engine is gone,
// without the clean-up.
const promptAfterDeath = 8 * time.Second

// comesBack kills the engine during a wait, an upload and a read, and restarts it at
// once.
func (m *interruptedEngine) comesBack(t *testing.T) {
	killed, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	runs := map[sandbox.Op]*interruptedRun{sandbox.OpWait: m.waiting(), sandbox.OpStage: m.uploading(killed), sandbox.OpCollect: m.collecting(killed)}
	runs[sandbox.OpStage+", stuck"] = m.uploading(over)
	outlives := m.waiting() // with live-restore
	outlives.bounds.Drain = 20 * time.Second
	runs[sandbox.OpWait+", outlives it"] = outlives
	all := slices.Collect(maps.Values(runs))
	m.begin(t, all...)
	m.interrupt(t, "kill", all...)
	close(killed)
	m.Start(t)
	enginetest.Release(t.Context(), m.API, owner.NamePrefix+outlives.id) // if the engine has not ended it
	for op, d := range runs {
		d.end(t, string(op))
		require.Less(t, d.took(), promptAfterDeath+d.bounds.Ending)
		step, is := runtest.AsError(d.err)
		require.True(t, is, "%s: %v", op, d.err)
		require.Contains(t, op, step.Op, "%v", d.err)
		require.NotErrorIs(t, d.err, sandbox.ErrCleanup, op)
		require.NotContains(t, d.err.Error(), "context", op)
		require.NotContains(t, d.err.Error(), "closed pipe", "%s: that is no reason", op)
		require.Nil(t, d.res.Artifacts, op)
		// The output of a job that goes on is lost.
		require.Equal(t, step.Op == sandbox.OpWait, errors.Is(d.err, sandbox.ErrOutputLost), op)
	}
	require.Zero(t, runs[sandbox.OpCollect].res.ExitCode)
	m.closing.Wait()
	require.Empty(t, m.Left(t))
}

// forGood kills the engine and starts it again only when the runs have ended.
func (m *interruptedEngine) forGood(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	waiting, stuck := m.waiting(), m.uploading(over)
	waiting.bounds.Ending, stuck.bounds.Ending = 3*time.Second, 3*time.Second
	m.begin(t, waiting, stuck)
	m.interrupt(t, "kill", waiting, stuck)
	waiting.end(t, "wait")
	stuck.end(t, "stuck upload")
	require.Less(t, waiting.took(), promptAfterDeath+waiting.bounds.Ending)
	require.Less(t, stuck.took(), promptAfterDeath+stuck.bounds.Ending)
	require.ErrorIs(t, waiting.err, sandbox.ErrOutputLost)
	waiting.requireMayBeLeft(t, "container %s", "container %s-stage", "volume %s-0")
	stuck.requireMayBeLeft(t, "container %s-stage", "volume %s-0")

	m.Start(t)
	require.NotEmpty(t, m.Left(t))
	m.sweep(t)
}

// hangs stops the engine and continues it when the runs have ended.
func (m *interruptedEngine) hangs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	canceled, timeout := m.waiting(), m.waiting()
	canceled.ctx = ctx
	timeout.job.Limits.Timeout = 3 * time.Second // the engine hangs by then
	for _, d := range []*interruptedRun{canceled, timeout} {
		d.bounds.Ending = 9 * time.Second
		m.begin(t, d)
	}
	m.interrupt(t, "STOP", canceled, timeout)
	cancel()
	canceled.end(t, "cancel")
	timeout.end(t, "timeout")
	m.Order(t, "CONT")
	require.ErrorIs(t, canceled.err, context.Canceled)
	require.NotErrorIs(t, timeout.err, context.Canceled)
	require.False(t, timeout.res.TimedOut, "nobody knows what became of it")
	for _, d := range []*interruptedRun{canceled, timeout} {
		d.requireMayBeLeft(t, "container %s", "container %s-stage", "volume %s-0")
		require.NotContains(t, d.err.Error(), "of the exit", "there was none")
		require.NotContains(t, d.err.Error(), "killed", "nobody knows")
	}
	m.sweep(t)
}

// sweep removes what failed clean-ups left.
func (m *interruptedEngine) sweep(t *testing.T) {
	t.Helper()
	m.closing.Wait()
	r, err := sandbox.New(sandbox.Options{Host: m.Host})
	require.NoError(t, err)
	defer r.Close()
	report, err := r.Sweep(bounds.With(context.Background(), interruptedBounds()))
	require.NoError(t, err)
	require.Empty(t, report.Left)
	require.Empty(t, m.Left(t))
}
