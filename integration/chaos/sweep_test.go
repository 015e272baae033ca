//go:build docker

package chaos_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

func TestSweepRemovesContainersInEveryState(t *testing.T) {
	ctx, dead := context.Background(), endedProcess(t)
	start := func(name string) error { return enginetest.API.ContainerStart(ctx, name, container.StartOptions{}) }
	for state, reach := range map[container.ContainerState]func(name string) error{
		container.StateCreated: func(string) error { return nil },
		container.StateRunning: start,
		container.StatePaused: func(name string) error {
			if err := start(name); err != nil {
				return err
			}
			return enginetest.API.ContainerPause(ctx, name)
		},
		container.StateExited: func(name string) error {
			if err := start(name); err != nil {
				return err
			}
			none := 0
			return enginetest.API.ContainerStop(ctx, name, container.StopOptions{Timeout: &none})
		},
	} {
		t.Run(string(state), func(t *testing.T) {
			id, _ := leftover(t, dead)
			require.NoError(t, reach(owner.NamePrefix+id))
			c, err := enginetest.API.ContainerInspect(ctx, owner.NamePrefix+id)
			require.NoError(t, err)
			require.Equal(t, state, c.State.Status)
			report := sweepOnce(t)
			require.Empty(t, enginetest.LeftOf(t, id))
			require.Empty(t, about(id, report.Left))
		})
	}
}

// An object whose name and labels are not those of a run is neither removed nor
// mentioned.
func TestSweepLeavesForeignObjects(t *testing.T) {
	id, other := owner.RandomID(), owner.RandomID()
	name, dead := owner.NamePrefix+id, endedProcess(t)
	labels := runLabels(id, dead, "2020-01-01T00:00:00Z")
	image := enginetest.MakeImage(t, "labelled", enginetest.BusyboxFiles(), "LABEL "+owner.LabelRun+"="+id+" "+owner.LabelOwner+"="+dead)
	foreign := []string{
		makeContainer(t, "mine-"+id, image, nil), // as any program can run an image
		makeContainer(t, name, enginetest.Busybox(), runLabels(other, dead, owner.NoExpiry)),
		makeContainer(t, name+"-stage", enginetest.Busybox(), runLabels("", dead, owner.NoExpiry)),
		makeContainer(t, name+"-1", enginetest.Busybox(), nil),
		makeContainer(t, name+"-2", enginetest.Busybox(), map[string]string{"io.synchestra.sandbox": id, owner.LabelOwner: dead}),
		makeContainer(t, name+"-stage2", enginetest.Busybox(), labels),
		makeContainer(t, "my-"+name, enginetest.Busybox(), labels),
		makeContainer(t, owner.NamePrefix+id[1:], enginetest.Busybox(), labels),
		makeVolume(t, name+"-0", nil),
		makeVolume(t, name+"-1", runLabels(other, dead, owner.NoExpiry)),
		makeVolume(t, name+"-data", labels),
		makeVolume(t, id, labels),
	}
	report := sweepOnce(t)
	all := enginetest.Objects(t, enginetest.API)
	for _, object := range foreign {
		require.Contains(t, all, object)
	}
	require.Empty(t, about(id, report.Removed))
	require.Empty(t, about(id, report.Left))
	require.Empty(t, about(id[1:], report.Left))
}

func TestSweepByExpiry(t *testing.T) {
	elsewhere := "01234567-89ab-cdef-0123-456789abcdef/1/2/1/1/" + owner.RandomID()
	unseen := ": its process cannot be seen from here, and it "
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for name, c := range map[string]struct {
		expires string
		why     func(expires string) string // nil = it is removed
	}{
		"long ago":  {at(-time.Hour), nil},
		"in grace":  {at(-time.Minute), func(e string) string { return unseen + "expires at " + e }},
		"to come":   {at(time.Hour), func(e string) string { return unseen + "expires at " + e }},
		"never":     {owner.NoExpiry, func(string) string { return unseen + "has no expiry" }},
		"malformed": {"tomorrow", func(string) string { return unseen + "has no expiry" }},
	} {
		t.Run(name, func(t *testing.T) {
			id := owner.RandomID()
			v := makeVolume(t, owner.NamePrefix+id+"-0", runLabels(id, elsewhere, c.expires))
			report := sweepOnce(t)
			if c.why == nil {
				require.Empty(t, enginetest.LeftOf(t, id))
				require.Empty(t, about(id, report.Left))
				return
			}
			require.Equal(t, []string{v}, enginetest.LeftOf(t, id))
			require.Equal(t, []string{v + c.why(c.expires)}, about(id, report.Left))
		})
	}
}

func TestSweepsAtOnce(t *testing.T) {
	dead := endedProcess(t)
	var ids []string
	for range 4 {
		id, _ := leftover(t, dead)
		require.NoError(t, enginetest.API.ContainerStart(context.Background(), owner.NamePrefix+id, container.StartOptions{}))
		ids = append(ids, id)
	}
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	var sweeps sync.WaitGroup
	errs := make(chan error, 3)
	for range cap(errs) {
		sweeps.Go(func() {
			_, err := r.Sweep(context.Background())
			errs <- err
		})
	}
	sweeps.Wait()
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.NoError(t, r.Close())
	for _, id := range ids {
		require.Empty(t, enginetest.LeftOf(t, id))
	}
}

// When a Sweep lists the containers, the engine may still be creating one, which
// holds its volume.
func TestSweepOfAVolumeWhoseContainerComesUp(t *testing.T) {
	t.Parallel()
	id := owner.RandomID()
	labels := runLabels(id, endedProcess(t), owner.NoExpiry)
	name := owner.NamePrefix + id
	makeVolume(t, name+"-0", labels)
	var once sync.Once
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if strings.HasPrefix(x.Text, "DELETE /volumes/") {
			once.Do(func() {
				makeContainer(t, name, enginetest.Busybox(), labels, mount.Mount{Type: mount.TypeVolume, Source: name + "-0", Target: "/workspace"})
			})
		}
		x.Forward()
	})
	b := bounds.Default()
	b.Ending = 10 * time.Second
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	_, err = r.Sweep(bounds.With(context.Background(), b))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Empty(t, enginetest.LeftOf(t, id))
}
