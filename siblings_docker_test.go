//go:build docker

package sandbox

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// ofRun are the entries of a report about a child's run, for one reason.
func ofRun(id, why string) []string {
	name := owner.NamePrefix + id
	return []string{"container " + name + why, "container " + name + "-stage" + why, "volume " + name + "-0" + why}
}

// requireUntouched fails unless the run's container has been running without a
// break since it was started.
func requireUntouched(t *testing.T, id string) {
	t.Helper()
	c, err := api.ContainerInspect(context.Background(), owner.NamePrefix+id)
	require.NoError(t, err)
	require.Equal(t, container.StateRunning, c.State.Status)
	_, err = api.VolumeInspect(context.Background(), owner.NamePrefix+id+"-0")
	require.NoError(t, err)
}

func TestSweepBesideALiveProcess(t *testing.T) {
	c := startRunningChild(t, runsForever)
	r, err := New(Options{})
	require.NoError(t, err)
	want := ofRun(c.id, fmt.Sprintf(": its process (PID %d) is running", c.cmd.Process.Pid))
	for range 100 {
		report, err := r.Sweep(context.Background())
		require.NoError(t, err)
		require.ElementsMatch(t, want, about(c.id, report.Left))
		require.Empty(t, about(c.id, report.Removed))
	}
	requireUntouched(t, c.id)

	c.kill()
	report, err := r.Sweep(context.Background())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assertNothingLeft(t, c.id)
	require.Empty(t, about(c.id, report.Left))
}

// The other way round: a run of this process, and the Sweep of another one.
func TestSweepByAnotherProcess(t *testing.T) {
	r, err := New(Options{})
	require.NoError(t, err)
	id, ended := startRun(context.Background(), r, sh("sleep 1000"))
	waitRunning(t, context.Background(), owner.NamePrefix+id)
	for name, through := range map[string][]string{"one PID namespace": nil, "two PID namespaces": inNewPIDs} {
		c := startChild(t, sweeps, engineHost(), through...)
		<-c.ended
		require.Contains(t, c.said.String(), `"container `+owner.NamePrefix+id+`: its process`, name)
		require.Contains(t, c.said.String(), "error: <nil>", name)
	}
	require.Empty(t, ended, "it still runs")
	require.NoError(t, r.Close())
	require.ErrorIs(t, (<-ended).err, ErrClosed)
	assertNothingLeft(t, id)
}

// A process in another PID namespace cannot be seen, alive or not: without an
// expiry its run stays for ever.
func TestSweepBesideAnUnseenProcess(t *testing.T) {
	c := startRunningChild(t, runsForever, inNewPIDs...)
	want := ofRun(c.id, ": its process cannot be seen from here, and it has no expiry")
	require.ElementsMatch(t, want, about(c.id, sweepOnce(t, bounds.Default()).Left))
	requireUntouched(t, c.id)
	c.kill()
	require.ElementsMatch(t, want, about(c.id, sweepOnce(t, bounds.Default()).Left))

	ctx := context.Background()
	for _, name := range []string{owner.NamePrefix + c.id, owner.NamePrefix + c.id + "-stage"} {
		require.NoError(t, api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}))
	}
	require.NoError(t, api.VolumeRemove(ctx, owner.NamePrefix+c.id+"-0", false))
}

// With a deadline it expires.
func TestSweepOfAnUnseenProcessThatExpires(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c := startRunningChild(t, runsDeadline, inNewPIDs...)
	left := about(c.id, sweepOnce(t, childBounds).Left)
	require.Len(t, left, 3)
	require.Contains(t, left[0], ": its process cannot be seen from here, and it expires at ")
	requireUntouched(t, c.id)
	c.kill()

	for len(about(c.id, sweepOnce(t, childBounds).Left)) > 0 {
		require.Less(t, time.Since(begin), time.Minute, "it must have expired")
		<-time.After(100 * time.Millisecond)
	}
	assertNothingLeft(t, c.id)
	// A second is the expiry's precision.
	earliest := childDeadline + childBounds.Ending() + childBounds.Grace - time.Second
	require.Greater(t, time.Since(begin), earliest, "removed before the run must have ended")
}
