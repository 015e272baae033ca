//go:build docker

package chaos_test

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// runLabels returns the labels of a run's objects.
func runLabels(id, process, expires string) map[string]string {
	return map[string]string{owner.LabelRun: id, owner.LabelOwner: process, owner.LabelExpires: expires}
}

// makeContainer creates a container without the library. It is removed at the end of
// the test.
func makeContainer(t *testing.T, name, image string, labels map[string]string, mounts ...mount.Mount) string {
	t.Helper()
	ctx := context.Background()
	_, err := enginetest.API.ContainerCreate(ctx, &container.Config{Image: image, Cmd: []string{"sleep", "1000"}, Labels: labels},
		&container.HostConfig{NetworkMode: "none", Mounts: mounts}, nil, nil, name)
	require.NoError(t, err)
	t.Cleanup(func() { enginetest.API.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}) })
	return "container " + name
}

func makeVolume(t *testing.T, name string, labels map[string]string) string {
	t.Helper()
	ctx := context.Background()
	_, err := enginetest.API.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	require.NoError(t, err)
	t.Cleanup(func() { enginetest.API.VolumeRemove(ctx, name, true) })
	return "volume " + name
}

// leftover creates what a killed run leaves: a volume, and a container that uses it.
func leftover(t *testing.T, process string) (id string, objects []string) {
	t.Helper()
	id = owner.RandomID()
	name, labels := owner.NamePrefix+id, runLabels(id, process, owner.NoExpiry)
	v := makeVolume(t, name+"-0", labels)
	c := makeContainer(t, name, enginetest.Busybox(), labels, mount.Mount{Type: mount.TypeVolume, Source: name + "-0", Target: "/workspace"})
	return id, []string{c, v}
}
