//go:build docker

package sandbox

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// mortalBounds are short, so that an engine which is gone is given up soon, but
// leave it the time to start again within a clean-up.
var mortalBounds = bounds.Bounds{
	Call: 3 * time.Second, Slow: 6 * time.Second, Stall: 3 * time.Second,
	Stop:    6 * time.Second,
	Drain:   time.Second,
	Reader:  300 * time.Millisecond,
	Settle:  300 * time.Millisecond,
	Cleanup: 15 * time.Second,
	Grace:   time.Second,
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
			m := &mortal{privateEngine: newPrivateEngine(t, engineSetup{flags: flags})}
			m.image = m.busybox(t)
			t.Run("and comes back", m.comesBack)
			t.Run("for good", m.forGood)
			t.Run("hangs", m.hangs)
		})
	}
}

type mortal struct {
	*privateEngine
	image string
}

// promptAfterDeath is how soon a run reports that its engine is gone, the
// clean-up left out.
const promptAfterDeath = 8 * time.Second

// comesBack kills the engine in the middle of wait, upload and read, and starts
// it again at once.
func (m *mortal) comesBack(t *testing.T) {
	killed, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	runs := map[Op]*dying{OpWait: m.waiting(), OpStage: m.uploading(killed), OpCollect: m.collecting(killed)}
	runs[OpStage+", stuck"] = m.uploading(over)
	outlives := m.waiting() // with live-restore
	outlives.bounds.Drain = 20 * time.Second
	runs[OpWait+", outlives it"] = outlives
	all := slices.Collect(maps.Values(runs))
	m.begin(t, all...)
	m.die(t, "kill", all...)
	close(killed)
	m.start(t)
	letGo(t.Context(), m.api, owner.NamePrefix+outlives.id) // if the engine has not ended it
	for op, d := range runs {
		d.end(t, string(op))
		require.Less(t, d.took(), promptAfterDeath+d.bounds.Cleanup)
		var step *Error
		require.ErrorAs(t, d.err, &step, op)
		require.Contains(t, op, step.Op, "%v", d.err)
		require.NotErrorIs(t, d.err, ErrCleanup, op)
		require.NotContains(t, d.err.Error(), "context", op)
		require.NotContains(t, d.err.Error(), "closed pipe", "%s: that is no reason", op)
		require.Nil(t, d.res.Artifacts, op)
		// A job that goes on writes to nobody.
		require.Equal(t, step.Op == OpWait, errors.Is(d.err, ErrOutputLost), op)
	}
	require.Zero(t, runs[OpCollect].res.ExitCode)
	require.Empty(t, m.left(t))
}

// forGood kills the engine, and starts it only when the runs have ended.
func (m *mortal) forGood(t *testing.T) {
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
	require.ErrorIs(t, waiting.err, ErrOutputLost)
	waiting.mayBeLeft(t, "container %s", "container %s-stage", "volume %s-0")
	stuck.mayBeLeft(t, "container %s-stage", "volume %s-0")

	m.start(t)
	require.NotEmpty(t, m.left(t))
	m.sweep(t)
}

// hangs stops the engine, and lets it go on when the runs have ended.
func (m *mortal) hangs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	canceled, timeout := m.waiting(), m.waiting()
	canceled.ctx = ctx
	timeout.job.Limits.Timeout = 3 * time.Second // the engine hangs by then
	for _, d := range []*dying{canceled, timeout} {
		d.bounds.Cleanup = 5 * time.Second
		m.begin(t, d)
	}
	m.die(t, "STOP", canceled, timeout)
	cancel()
	canceled.end(t, "cancel")
	timeout.end(t, "timeout")
	m.order(t, "CONT")
	require.ErrorIs(t, canceled.err, context.Canceled)
	require.NotErrorIs(t, timeout.err, context.Canceled)
	require.False(t, timeout.res.TimedOut, "nobody knows what became of it")
	for _, d := range []*dying{canceled, timeout} {
		d.mayBeLeft(t, "container %s", "container %s-stage", "volume %s-0")
		require.NotContains(t, d.err.Error(), "of the exit", "there was none")
		require.NotContains(t, d.err.Error(), "killed", "nobody knows")
	}
	m.sweep(t)
}

// sweep removes what is left of runs whose clean-up failed.
func (m *mortal) sweep(t *testing.T) {
	t.Helper()
	r, err := New(Options{Host: m.host})
	require.NoError(t, err)
	defer r.Close()
	report, err := r.Sweep(bounds.With(context.Background(), mortalBounds))
	require.NoError(t, err)
	require.Empty(t, report.Left)
	require.Empty(t, m.left(t))
}
