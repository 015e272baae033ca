//go:build docker

package chaos_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// mortalBounds are short, so that an engine which is gone is given up soon, but
// leave it the time to start again within a clean-up.
func mortalBounds() bounds.Bounds {
	b := bounds.Default()
	b.Call, b.Slow, b.Stall = 3*time.Second, 6*time.Second, 3*time.Second
	b.Stop, b.Drain, b.Cleanup = 6*time.Second, time.Second, 15*time.Second
	b.Writer, b.Slack, b.OOM = 0, 0, 0 // no writer is slow, and nothing that must be lost passes
	b.Reader, b.Settle = 300*time.Millisecond, 300*time.Millisecond
	b.Grace = time.Second
	return b
}

// TestEngineDies kills an engine under runs, with SIGKILL, and hangs it.
func TestEngineDies(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"live-restore off": nil,
		"live-restore on":  {"--live-restore"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &mortalEngine{PrivateEngine: enginetest.NewPrivateEngine(t, enginetest.Setup{Flags: flags})}
			m.image = m.Busybox(t)
			t.Run("and comes back", m.comesBack)
			t.Run("for good", m.forGood)
			t.Run("hangs", m.hangs)
		})
	}
}

type mortalEngine struct {
	*enginetest.PrivateEngine
	image string
}

// promptAfterDeath is how soon a run reports that its engine is gone, the
// clean-up left out.
const promptAfterDeath = 8 * time.Second

// comesBack kills the engine in the middle of wait, upload and read, and starts
// it again at once.
func (m *mortalEngine) comesBack(t *testing.T) {
	killed, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	runs := map[sandbox.Op]*dyingRun{sandbox.OpWait: m.waiting(), sandbox.OpStage: m.uploading(killed), sandbox.OpCollect: m.collecting(killed)}
	runs[sandbox.OpStage+", stuck"] = m.uploading(over)
	outlives := m.waiting() // with live-restore
	outlives.bounds.Drain = 20 * time.Second
	runs[sandbox.OpWait+", outlives it"] = outlives
	all := slices.Collect(maps.Values(runs))
	m.begin(t, all...)
	m.die(t, "kill", all...)
	close(killed)
	m.Start(t)
	enginetest.Release(t.Context(), m.API, owner.NamePrefix+outlives.id) // if the engine has not ended it
	for op, d := range runs {
		d.end(t, string(op))
		require.Less(t, d.took(), promptAfterDeath+d.bounds.Cleanup)
		var step *sandbox.Error
		require.ErrorAs(t, d.err, &step, op)
		require.Contains(t, op, step.Op, "%v", d.err)
		require.NotErrorIs(t, d.err, sandbox.ErrCleanup, op)
		require.NotContains(t, d.err.Error(), "context", op)
		require.NotContains(t, d.err.Error(), "closed pipe", "%s: that is no reason", op)
		require.Nil(t, d.res.Artifacts, op)
		// A job that goes on writes to nobody.
		require.Equal(t, step.Op == sandbox.OpWait, errors.Is(d.err, sandbox.ErrOutputLost), op)
	}
	require.Zero(t, runs[sandbox.OpCollect].res.ExitCode)
	require.Empty(t, m.Left(t))
}

// forGood kills the engine, and starts it only when the runs have ended.
func (m *mortalEngine) forGood(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	waiting, stuck := m.waiting(), m.uploading(over)
	waiting.bounds.Cleanup, stuck.bounds.Cleanup = 3*time.Second, 3*time.Second
	m.begin(t, waiting, stuck)
	m.die(t, "kill", waiting, stuck)
	waiting.end(t, "wait")
	stuck.end(t, "stuck upload")
	require.Less(t, waiting.took(), promptAfterDeath+waiting.bounds.Cleanup)
	require.Less(t, stuck.took(), promptAfterDeath+stuck.bounds.Cleanup)
	require.ErrorIs(t, waiting.err, sandbox.ErrOutputLost)
	waiting.mayBeLeft(t, "container %s", "container %s-stage", "volume %s-0")
	stuck.mayBeLeft(t, "container %s-stage", "volume %s-0")

	m.Start(t)
	require.NotEmpty(t, m.Left(t))
	m.sweep(t)
}

// hangs stops the engine, and lets it go on when the runs have ended.
func (m *mortalEngine) hangs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	canceled, timeout := m.waiting(), m.waiting()
	canceled.ctx = ctx
	timeout.job.Limits.Timeout = 3 * time.Second // the engine hangs by then
	for _, d := range []*dyingRun{canceled, timeout} {
		d.bounds.Cleanup = 5 * time.Second
		m.begin(t, d)
	}
	m.die(t, "STOP", canceled, timeout)
	cancel()
	canceled.end(t, "cancel")
	timeout.end(t, "timeout")
	m.Order(t, "CONT")
	require.ErrorIs(t, canceled.err, context.Canceled)
	require.NotErrorIs(t, timeout.err, context.Canceled)
	require.False(t, timeout.res.TimedOut, "nobody knows what became of it")
	for _, d := range []*dyingRun{canceled, timeout} {
		d.mayBeLeft(t, "container %s", "container %s-stage", "volume %s-0")
		require.NotContains(t, d.err.Error(), "of the exit", "there was none")
		require.NotContains(t, d.err.Error(), "killed", "nobody knows")
	}
	m.sweep(t)
}

// sweep removes what is left of runs whose clean-up failed.
func (m *mortalEngine) sweep(t *testing.T) {
	t.Helper()
	r, err := sandbox.New(sandbox.Options{Host: m.Host})
	require.NoError(t, err)
	defer r.Close()
	report, err := r.Sweep(bounds.With(context.Background(), mortalBounds()))
	require.NoError(t, err)
	require.Empty(t, report.Left)
	require.Empty(t, m.Left(t))
}
