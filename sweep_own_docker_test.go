//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// hasty gives up soon on an engine that is not there.
var hasty = bounds.Bounds{
	Call: 500 * time.Millisecond, Slow: 10 * time.Second, Stall: 10 * time.Second,
	Stop:    500 * time.Millisecond,
	Drain:   500 * time.Millisecond,
	Reader:  500 * time.Millisecond,
	Settle:  100 * time.Millisecond,
	Cleanup: 500 * time.Millisecond,
	Grace:   5 * time.Minute,
}

// The engine goes away in mid-run, and comes back.
func TestSweepRemovesWhatAFailedCleanUpLeft(t *testing.T) {
	var away atomic.Bool
	p := NewProxy(t, api, func(x *Exchange) {
		if strings.HasSuffix(x.Text, "/start") {
			away.Store(true)
		}
		if away.Load() {
			x.Drop()
		}
		x.Forward()
	})
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)
	j := sh("true")
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in"}))
	_, id, err := runWith(bounds.With(context.Background(), hasty), r, j)
	require.ErrorIs(t, err, ErrCleanup)
	name := owner.NamePrefix + id
	left := []string{"container " + name, "container " + name + "-stage", "volume " + name + "-0"}
	require.ElementsMatch(t, left, leftOf(t, id))

	away.Store(false)
	report, err := r.Sweep(bounds.With(context.Background(), hasty))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.ElementsMatch(t, left, about(id, report.Removed))
	require.Empty(t, about(id, report.Left))
	require.Empty(t, leftOf(t, id))
}

// The image's labels do not become those of the run: it would look left over.
func TestLabelsOfARun(t *testing.T) {
	image := makeImage(t, "expired", busyboxFiles(),
		"LABEL "+owner.LabelRun+"=0 "+owner.LabelOwner+"="+endedProcess(t)+" "+owner.LabelExpires+"=2020-01-01T00:00:00Z")
	for _, bounded := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		if bounded {
			ctx, cancel = context.WithTimeout(ctx, time.Hour)
		}
		r, err := New(Options{})
		require.NoError(t, err)
		j := sh("sleep 1000")
		j.Image = image
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in"}))
		id, ended := startRun(ctx, r, j)
		name := owner.NamePrefix + id
		waitRunning(t, context.Background(), name)
		job, err := api.ContainerInspect(ctx, name)
		require.NoError(t, err)
		stage, err := api.ContainerInspect(ctx, name+"-stage")
		require.NoError(t, err)
		volume, err := api.VolumeInspect(ctx, name+"-0")
		require.NoError(t, err)
		for _, labels := range []map[string]string{job.Config.Labels, stage.Config.Labels, volume.Labels} {
			requireLabels(t, ctx, id, labels)
		}
		report, err := r.Sweep(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, ofRun(id, ": its run is active in this process"), about(id, report.Left))
		cancel()
		require.ErrorIs(t, (<-ended).err, context.Canceled)
		require.NoError(t, r.Close())
		require.Empty(t, leftOf(t, id))
	}
}

func requireLabels(t *testing.T, ctx context.Context, id string, labels map[string]string) {
	t.Helper()
	require.Len(t, labels, 3)
	require.Equal(t, id, labels[owner.LabelRun])
	require.Equal(t, owner.Self().String(), labels[owner.LabelOwner])
	deadline, bounded := ctx.Deadline()
	if !bounded {
		require.Equal(t, owner.NoExpiry, labels[owner.LabelExpires])
		return
	}
	expires, err := time.Parse(time.RFC3339, labels[owner.LabelExpires])
	require.NoError(t, err)
	require.WithinDuration(t, deadline.Add(bounds.Default().Ending()), expires, 5*time.Second)
}

func TestSweepThatIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	id, objects := leftover(t, owner.Self().String())
	p := NewProxy(t, api, func(x *Exchange) {
		if strings.HasPrefix(x.Text, "DELETE ") {
			cancel()
			x.Drop()
		}
		x.Forward()
	})
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)
	report, err := r.Sweep(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, ErrCleanup)
	requireOp(t, OpCleanup, err)
	require.Empty(t, about(id, report.Removed))
	left := about(id, report.Left)
	require.Len(t, left, len(objects))
	for i, object := range objects {
		require.Contains(t, left[i], object+": ")
		require.ErrorContains(t, err, object+" may be left")
	}

	report, err = r.Sweep(ctx)
	require.ErrorIs(t, err, context.Canceled)
	requireOp(t, OpCleanup, err)
	require.Equal(t, SweepReport{}, report)
	require.NoError(t, r.Close())

	report = sweepOnce(t, bounds.Default())
	require.Equal(t, objects, about(id, report.Removed))
	require.Empty(t, leftOf(t, id))
}
