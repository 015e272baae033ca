//go:build docker

package chaos_test

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// hasty bounds give up soon on an engine that is gone.
func hasty() bounds.Bounds {
	b := bounds.Default()
	const soon = 500 * time.Millisecond
	b.Call, b.Ending, b.Drain = soon, 2*soon, soon
	b.Slow, b.Stall = 10*time.Second, 10*time.Second
	b.Settle = 100 * time.Millisecond
	return b
}

// The engine goes away during a run, and comes back.
func TestSweepRemovesWhatAFailedCleanUpLeft(t *testing.T) {
	var away atomic.Bool
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if strings.HasSuffix(x.Text, "/start") {
			away.Store(true)
		}
		if away.Load() {
			x.Drop()
		}
		x.Forward()
	})
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	j := runtest.Shell("true")
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in"}))
	_, id, err := runtest.RunWith(bounds.With(context.Background(), hasty()), r, j)
	require.ErrorIs(t, err, sandbox.ErrCleanup)
	name := owner.NamePrefix + id
	left := []string{"container " + name, "container " + name + "-stage", "volume " + name + "-0"}
	require.ElementsMatch(t, left, enginetest.LeftOf(t, id))

	away.Store(false)
	report, err := r.Sweep(bounds.With(context.Background(), hasty()))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.ElementsMatch(t, left, about(id, report.Removed))
	require.Empty(t, about(id, report.Left))
	require.Empty(t, enginetest.LeftOf(t, id))
}

// The labels of the image do not replace those of the run, which would look left over.
func TestLabelsOfARun(t *testing.T) {
	image := enginetest.MakeImage(t, "expired", enginetest.BusyboxFiles(),
		"LABEL "+owner.LabelRun+"=0 "+owner.LabelOwner+"="+endedProcess(t)+" "+owner.LabelExpires+"=2020-01-01T00:00:00Z "+
			owner.LabelTimeout+"=1ns "+owner.LabelEnding+"=0s "+owner.LabelReading+"=0s")
	for _, bounded := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		if bounded {
			ctx, cancel = context.WithTimeout(ctx, time.Hour)
		}
		r, err := sandbox.New(sandbox.Options{})
		require.NoError(t, err)
		j := runtest.Shell("sleep 1000")
		j.Image = image
		if bounded {
			j.Limits.Timeout = time.Hour
		}
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in"}))
		id, ended := runtest.Start(ctx, r, j)
		name := owner.NamePrefix + id
		enginetest.WaitRunning(t, context.Background(), name)
		job, err := enginetest.API.ContainerInspect(ctx, name)
		require.NoError(t, err)
		stage, err := enginetest.API.ContainerInspect(ctx, name+"-stage")
		require.NoError(t, err)
		volume, err := enginetest.API.VolumeInspect(ctx, name+"-0")
		require.NoError(t, err)
		for _, labels := range []map[string]string{job.Config.Labels, stage.Config.Labels, volume.Labels} {
			requireLabels(t, ctx, id, labels)
		}
		report, err := r.Sweep(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, ofRun(id, ": its run is active in this process"), about(id, report.Left))
		cancel()
		require.ErrorIs(t, (<-ended).Err, context.Canceled)
		require.NoError(t, r.Close())
		require.Empty(t, enginetest.LeftOf(t, id))
	}
}

func requireLabels(t *testing.T, ctx context.Context, id string, labels map[string]string) {
	t.Helper()
	require.Len(t, labels, 6)
	require.Equal(t, id, labels[owner.LabelRun])
	require.Equal(t, owner.Self().String(), labels[owner.LabelOwner])
	deadline, bounded := ctx.Deadline()
	if !bounded {
		require.Equal(t, owner.Labels(id, time.Time{}), labels)
		return
	}
	require.Equal(t, owner.Limits{Timeout: time.Hour, Ending: bounds.Default().Slow + bounds.Default().Return()}, owner.LimitsOf(labels))
	expires, err := time.Parse(time.RFC3339, labels[owner.LabelExpires])
	require.NoError(t, err)
	require.WithinDuration(t, deadline.Add(bounds.Default().Return()), expires, 5*time.Second)
}

func TestSweepThatIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	id, objects := leftover(t, owner.Self().String())
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if strings.HasPrefix(x.Text, "DELETE ") {
			cancel()
			x.Drop()
		}
		x.Forward()
	})
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	report, err := r.Sweep(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, sandbox.ErrCleanup)
	runtest.RequireStep(t, err, sandbox.OpCleanup)
	require.Empty(t, about(id, report.Removed))
	left := about(id, report.Left)
	require.Len(t, left, len(objects))
	for i, object := range objects {
		require.Contains(t, left[i], object+": ")
		require.ErrorContains(t, err, object+" may be left")
	}

	report, err = r.Sweep(ctx)
	require.ErrorIs(t, err, context.Canceled)
	runtest.RequireStep(t, err, sandbox.OpCleanup)
	require.Equal(t, sandbox.SweepReport{}, report)
	require.NoError(t, r.Close())

	report = sweepOnce(t)
	require.Equal(t, objects, about(id, report.Removed))
	require.Empty(t, enginetest.LeftOf(t, id))
}
