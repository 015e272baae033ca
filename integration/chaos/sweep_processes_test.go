//go:build docker

package chaos_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// ofRun returns the entries of a report about a child's run; why is the reason.
func ofRun(id, why string) []string {
	name := owner.NamePrefix + id
	return []string{"container " + name + why, "container " + name + "-stage" + why, "volume " + name + "-0" + why}
}

// requireUntouched checks that the run's container and volume are still there and the
// container runs.
func requireUntouched(t *testing.T, id string) {
	t.Helper()
	c, err := enginetest.API.ContainerInspect(context.Background(), owner.NamePrefix+id)
	require.NoError(t, err)
	require.Equal(t, container.StateRunning, c.State.Status)
	_, err = enginetest.API.VolumeInspect(context.Background(), owner.NamePrefix+id+"-0")
	require.NoError(t, err)
}

func TestSweepBesideALiveProcess(t *testing.T) {
	c := startRunningChild(t, runForever)
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	want := ofRun(c.RunID, fmt.Sprintf(": its process (PID %d) is running", c.Cmd.Process.Pid))
	for range 100 {
		report, err := r.Sweep(context.Background())
		require.NoError(t, err)
		require.ElementsMatch(t, want, about(c.RunID, report.Left))
		require.Empty(t, about(c.RunID, report.Removed))
	}
	requireUntouched(t, c.RunID)

	c.Kill()
	report, err := r.Sweep(context.Background())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	enginetest.AssertNothingLeft(t, c.RunID)
	require.Empty(t, about(c.RunID, report.Left))
}

// The other way round: a run of this process, and a Sweep in another one.
func TestSweepByAnotherProcess(t *testing.T) {
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	id, ended := runtest.Start(context.Background(), r, runtest.Shell("sleep 1000"))
	enginetest.WaitRunning(t, context.Background(), owner.NamePrefix+id)
	for name, through := range map[string][]string{"one PID namespace": nil, "two PID namespaces": enginetest.InNewPIDNamespace} {
		c := enginetest.StartChild(t, sweep, enginetest.Host(), through...)
		<-c.Ended
		require.Contains(t, c.Output.String(), `"container `+owner.NamePrefix+id+`: its process`, name)
		require.Contains(t, c.Output.String(), "error: <nil>", name)
	}
	require.Empty(t, ended, "it still runs")
	require.NoError(t, r.Close())
	require.ErrorIs(t, (<-ended).Err, sandbox.ErrClosed)
	enginetest.AssertNothingLeft(t, id)
}

// A process in another PID namespace cannot be seen, alive or not. Without an expiry
// its run is kept forever.
func TestSweepBesideAnUnseenProcess(t *testing.T) {
	c := startRunningChild(t, runForever, enginetest.InNewPIDNamespace...)
	want := ofRun(c.RunID, ": its process cannot be seen from here, and it has no expiry")
	require.ElementsMatch(t, want, about(c.RunID, sweepOnce(t, bounds.Default()).Left))
	requireUntouched(t, c.RunID)
	c.Kill()
	require.ElementsMatch(t, want, about(c.RunID, sweepOnce(t, bounds.Default()).Left))

	ctx := context.Background()
	for _, name := range []string{owner.NamePrefix + c.RunID, owner.NamePrefix + c.RunID + "-stage"} {
		require.NoError(t, enginetest.API.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}))
	}
	require.NoError(t, enginetest.API.VolumeRemove(ctx, owner.NamePrefix+c.RunID+"-0", false))
}

// With a deadline such a run expires.
func TestSweepOfAnUnseenProcessThatExpires(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c := startRunningChild(t, runDeadline, enginetest.InNewPIDNamespace...)
	left := about(c.RunID, sweepOnce(t, childBounds()).Left)
	require.Len(t, left, 3)
	require.Contains(t, left[0], ": its process cannot be seen from here, and it expires at ")
	requireUntouched(t, c.RunID)
	c.Kill()

	for len(about(c.RunID, sweepOnce(t, childBounds()).Left)) > 0 {
		require.Less(t, time.Since(begin), time.Minute, "it must have expired")
		<-time.After(100 * time.Millisecond)
	}
	enginetest.AssertNothingLeft(t, c.RunID)
	// The expiry has a precision of one second.
	earliest := childDeadline + childBounds().Ending() + childBounds().Grace - time.Second
	require.Greater(t, time.Since(begin), earliest, "removed before the run must have ended")
}
