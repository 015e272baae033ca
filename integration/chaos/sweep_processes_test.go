//go:build docker

package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
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
	if errdefs.IsNotFound(err) { // its Setup runs
		c, err = enginetest.API.ContainerInspect(context.Background(), owner.SetupName(owner.NamePrefix+id))
	}
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

// A process in another PID namespace cannot be seen, alive or not: with neither a
// deadline nor a Timeout its run stays for ever.
func TestSweepBesideAnUnseenProcess(t *testing.T) {
	c := startRunningChild(t, runForever, enginetest.InNewPIDNamespace...)
	want := ofRun(c.RunID, ": its process cannot be seen from here, and it has no expiry")
	require.ElementsMatch(t, want, about(c.RunID, sweepOnce(t).Left))
	requireUntouched(t, c.RunID)
	c.Kill()
	require.ElementsMatch(t, want, about(c.RunID, sweepOnce(t).Left))

	ctx := context.Background()
	for _, name := range []string{owner.NamePrefix + c.RunID, owner.NamePrefix + c.RunID + "-stage"} {
		require.NoError(t, enginetest.API.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}))
	}
	require.NoError(t, enginetest.API.VolumeRemove(ctx, owner.NamePrefix+c.RunID+"-0", false))
}

// With a deadline such a run expires.
func TestSweepOfAnUnseenProcessThatExpires(t *testing.T) {
	begin := time.Now()
	c := startRunningChild(t, runDeadline, enginetest.InNewPIDNamespace...)
	c.Kill()
	job, err := enginetest.API.ContainerInspect(context.Background(), owner.NamePrefix+c.RunID)
	require.NoError(t, err)
	expires := job.Config.Labels[owner.LabelExpires]
	at, err := time.Parse(time.RFC3339, expires)
	require.NoError(t, err)
	// It has a precision of one second.
	require.Greater(t, at, begin.Add(childTime+bounds.Default().Return()-time.Second), "the run must have ended")
	requireOver(t, c.RunID, 3, ": its process cannot be seen from here, and it expires at "+expires, at)
}

// With a Timeout it is over in the end, and what it left goes: its container, the staging
// container or the one that holds the disk, and the volumes.
func TestSweepOfAnUnseenProcessWithATimeout(t *testing.T) {
	for task, objects := range map[string]int{runTimeout: 3, runOnDisk: 4, runSetup: 4} {
		t.Run(task, func(t *testing.T) {
			c := startRunningChild(t, task, enginetest.InNewPIDNamespace...)
			c.Kill()
			job, err := enginetest.API.ContainerInspect(context.Background(), commandOf(c, task))
			require.NoError(t, err)
			started, err := time.Parse(time.RFC3339Nano, job.State.StartedAt)
			require.NoError(t, err)
			at := owner.LimitsOf(job.Config.Labels).Over(started, true)
			require.Greater(t, at, started.Add(childTime+bounds.Default().Return()), "the run must have ended")
			why := ": its process cannot be seen from here, and it must have ended at " + at.UTC().Format(time.RFC3339)
			requireOver(t, c.RunID, objects, why, at)
		})
	}
}

// requireOver checks that a Sweep leaves the objects of a run until the time at which it
// is over, and says why, and that a later one removes them.
func requireOver(t *testing.T, id string, objects int, why string, at time.Time) {
	t.Helper()
	for _, present := range []time.Time{time.Now(), at.Add(-5 * time.Minute)} {
		left := about(id, sweepAt(t, present).Left)
		require.Len(t, left, objects)
		for _, object := range left {
			require.True(t, strings.HasSuffix(object, why), "%s, want %s", object, why)
		}
		requireUntouched(t, id)
	}
	report := sweepAt(t, at.Add(time.Second))
	require.Len(t, about(id, report.Removed), objects)
	require.Empty(t, about(id, report.Left))
	enginetest.AssertNothingLeft(t, id)
}

// Times that are too far away for arithmetic do not come around from the other side, and
// a container that was created and never started has no time at all.
func TestSweepOfAnUnseenProcessInTime(t *testing.T) {
	t.Parallel()
	c := startRunningChild(t, runFar, enginetest.InNewPIDNamespace...)
	elsewhere := "01234567-89ab-cdef-0123-456789abcdef/1/2/1/1/" + owner.RandomID()
	created := owner.RandomID()
	labels := runLabels(created, elsewhere, owner.NoExpiry)
	owner.Limits{Timeout: time.Hour}.Label(labels)
	makeContainer(t, owner.NamePrefix+created, enginetest.Busybox(), labels)
	for range 3 {
		report := sweepOnce(t)
		require.Len(t, about(c.RunID, report.Left), 3)
		require.Equal(t, []string{"container " + owner.NamePrefix + created + ": its process cannot be seen from here, and its command has not started"},
			about(created, report.Left))
	}
	requireUntouched(t, c.RunID)

	// Somebody starts it, and starts it again: its time begins anew.
	ctx, name := context.Background(), owner.NamePrefix+created
	require.NoError(t, enginetest.API.ContainerStart(ctx, name, container.StartOptions{}))
	require.NoError(t, enginetest.API.ContainerRestart(ctx, name, container.StopOptions{Timeout: new(int)}))
	job, err := enginetest.API.ContainerInspect(ctx, name)
	require.NoError(t, err)
	started, err := time.Parse(time.RFC3339Nano, job.State.StartedAt)
	require.NoError(t, err)
	over := started.Add(time.Hour).UTC().Format(time.RFC3339)
	require.Equal(t, []string{"container " + name + ": its process cannot be seen from here, and it must have ended at " + over},
		about(created, sweepOnce(t).Left))

	c.Kill()
	for _, name := range []string{owner.NamePrefix + c.RunID, owner.NamePrefix + c.RunID + "-stage"} {
		require.NoError(t, enginetest.API.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}))
	}
	require.NoError(t, enginetest.API.VolumeRemove(ctx, owner.NamePrefix+c.RunID+"-0", false))
}

// What a killed process kept for its runs is removed like what it left of them.
func TestSweepOfWhatARunnerKept(t *testing.T) {
	c := startRunningChild(t, runForever)
	job, err := enginetest.API.ContainerInspect(context.Background(), owner.NamePrefix+c.RunID)
	require.NoError(t, err)
	by := owner.LabelOwner + "=" + job.Config.Labels[owner.LabelOwner]
	kept := slices.DeleteFunc(enginetest.Objects(t, enginetest.API, by), func(o string) bool { return !strings.HasSuffix(o, "-host") })
	require.Len(t, kept, 2, "a container and its volume")

	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	report, err := r.Sweep(context.Background())
	require.NoError(t, err)
	for _, o := range kept {
		require.Contains(t, report.Left, fmt.Sprintf("%s: its process (PID %d) is running", o, c.Cmd.Process.Pid))
	}
	c.Kill()
	report, err = r.Sweep(context.Background())
	require.NoError(t, err)
	require.Subset(t, report.Removed, kept)
	require.Empty(t, enginetest.Objects(t, enginetest.API, by))
	require.NoError(t, r.Close())
}
