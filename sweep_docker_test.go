//go:build docker

package sandbox

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// leftOf lists what the engine has of a run.
func leftOf(t testing.TB, id string) []string {
	t.Helper()
	return objectNames(t, filters.Arg("label", owner.LabelRun+"="+id))
}

// objectNames lists containers in every state, and volumes.
func objectNames(t testing.TB, which ...filters.KeyValuePair) (names []string) {
	t.Helper()
	ctx, filter := context.Background(), filters.NewArgs(which...)
	containers, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: filter})
	require.NoError(t, err)
	for _, c := range containers {
		names = append(names, "container "+c.Names[0][1:])
	}
	volumes, err := api.VolumeList(ctx, volume.ListOptions{Filters: filter})
	require.NoError(t, err)
	for _, v := range volumes.Volumes {
		names = append(names, "volume "+v.Name)
	}
	return names
}

// runLabels are those of a run.
func runLabels(id, process, expires string) map[string]string {
	return map[string]string{owner.LabelRun: id, owner.LabelOwner: process, owner.LabelExpires: expires}
}

// makeContainer makes a container as nobody but a test does; it is removed at
// the test's end.
func makeContainer(t *testing.T, name, image string, labels map[string]string, mounts ...mount.Mount) string {
	t.Helper()
	ctx := context.Background()
	_, err := api.ContainerCreate(ctx, &container.Config{Image: image, Cmd: []string{"sleep", "1000"}, Labels: labels},
		&container.HostConfig{NetworkMode: "none", Mounts: mounts}, nil, nil, name)
	require.NoError(t, err)
	t.Cleanup(func() { api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}) })
	return "container " + name
}

func makeVolume(t *testing.T, name string, labels map[string]string) string {
	t.Helper()
	ctx := context.Background()
	_, err := api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	require.NoError(t, err)
	t.Cleanup(func() { api.VolumeRemove(ctx, name, true) })
	return "volume " + name
}

// leftover makes what a run leaves: a volume, and a container that refers to it.
func leftover(t *testing.T, process string) (id string, objects []string) {
	t.Helper()
	id = owner.RandomID()
	name, labels := owner.NamePrefix+id, runLabels(id, process, owner.NoExpiry)
	v := makeVolume(t, name+"-0", labels)
	c := makeContainer(t, name, busybox(), labels, mount.Mount{Type: mount.TypeVolume, Source: name + "-0", Target: "/workspace"})
	return id, []string{c, v}
}

func TestSweepRemovesContainersInEveryState(t *testing.T) {
	ctx, dead := context.Background(), endedProcess(t)
	start := func(name string) error { return api.ContainerStart(ctx, name, container.StartOptions{}) }
	for state, reach := range map[container.ContainerState]func(name string) error{
		container.StateCreated: func(string) error { return nil },
		container.StateRunning: start,
		container.StatePaused: func(name string) error {
			if err := start(name); err != nil {
				return err
			}
			return api.ContainerPause(ctx, name)
		},
		container.StateExited: func(name string) error {
			if err := start(name); err != nil {
				return err
			}
			none := 0
			return api.ContainerStop(ctx, name, container.StopOptions{Timeout: &none})
		},
	} {
		t.Run(string(state), func(t *testing.T) {
			id, _ := leftover(t, dead)
			require.NoError(t, reach(owner.NamePrefix+id))
			c, err := api.ContainerInspect(ctx, owner.NamePrefix+id)
			require.NoError(t, err)
			require.Equal(t, state, c.State.Status)
			report := sweepOnce(t, bounds.Default())
			require.Empty(t, leftOf(t, id))
			require.Empty(t, about(id, report.Left))
		})
	}
}

// Nothing is touched, or mentioned, whose labels and name are not those of a run.
func TestSweepLeavesForeignObjects(t *testing.T) {
	id, other := owner.RandomID(), owner.RandomID()
	name, dead := owner.NamePrefix+id, endedProcess(t)
	labels := runLabels(id, dead, "2020-01-01T00:00:00Z")
	image := makeImage(t, "labelled", busyboxFiles(), "LABEL "+owner.LabelRun+"="+id+" "+owner.LabelOwner+"="+dead)
	foreign := []string{
		makeContainer(t, "mine-"+id, image, nil), // as any program can run an image
		makeContainer(t, name, busybox(), runLabels(other, dead, owner.NoExpiry)),
		makeContainer(t, name+"-stage", busybox(), runLabels("", dead, owner.NoExpiry)),
		makeContainer(t, name+"-1", busybox(), nil),
		makeContainer(t, name+"-2", busybox(), map[string]string{"io.synchestra.sandbox": id, owner.LabelOwner: dead}),
		makeContainer(t, name+"-stage2", busybox(), labels),
		makeContainer(t, "my-"+name, busybox(), labels),
		makeContainer(t, owner.NamePrefix+id[1:], busybox(), labels),
		makeVolume(t, name+"-0", nil),
		makeVolume(t, name+"-1", runLabels(other, dead, owner.NoExpiry)),
		makeVolume(t, name+"-data", labels),
		makeVolume(t, id, labels),
	}
	report := sweepOnce(t, bounds.Default())
	all := objectNames(t)
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
			report := sweepOnce(t, bounds.Default())
			if c.why == nil {
				require.Empty(t, leftOf(t, id))
				require.Empty(t, about(id, report.Left))
				return
			}
			require.Equal(t, []string{v}, leftOf(t, id))
			require.Equal(t, []string{v + c.why(c.expires)}, about(id, report.Left))
		})
	}
}

func TestSweepsAtOnce(t *testing.T) {
	dead := endedProcess(t)
	var ids []string
	for range 4 {
		id, _ := leftover(t, dead)
		require.NoError(t, api.ContainerStart(context.Background(), owner.NamePrefix+id, container.StartOptions{}))
		ids = append(ids, id)
	}
	r, err := New(Options{})
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
		require.Empty(t, leftOf(t, id))
	}
}

// The engine may still be creating a container, which holds its volume, when a Sweep
// asks for all containers.
func TestSweepOfAVolumeWhoseContainerComesUp(t *testing.T) {
	t.Parallel()
	id := owner.RandomID()
	labels := runLabels(id, endedProcess(t), owner.NoExpiry)
	name := owner.NamePrefix + id
	makeVolume(t, name+"-0", labels)
	var once sync.Once
	p := NewProxy(t, api, func(x *Exchange) {
		if strings.HasPrefix(x.Text, "DELETE /volumes/") {
			once.Do(func() {
				makeContainer(t, name, busybox(), labels, mount.Mount{Type: mount.TypeVolume, Source: name + "-0", Target: "/workspace"})
			})
		}
		x.Forward()
	})
	b := bounds.Default()
	b.Cleanup = 10 * time.Second
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)
	_, err = r.Sweep(bounds.With(context.Background(), b))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Empty(t, leftOf(t, id))
}
