package enginetest

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
)

// Objects lists an engine's containers, in every state, and then its volumes, as
// errors of this module name them: "container NAME" and "volume NAME". Labels
// select, such as "key" or "key=value".
func Objects(t testing.TB, engine *client.Client, labels ...string) (names []string) {
	t.Helper()
	ctx, match := context.Background(), filters.NewArgs()
	for _, label := range labels {
		match.Add("label", label)
	}
	containers, err := engine.ContainerList(ctx, container.ListOptions{All: true, Filters: match})
	require.NoError(t, err)
	for _, c := range containers {
		names = append(names, "container "+strings.TrimPrefix(c.Names[0], "/"))
	}
	volumes, err := engine.VolumeList(ctx, volume.ListOptions{Filters: match})
	require.NoError(t, err)
	for _, v := range volumes.Volumes {
		names = append(names, "volume "+v.Name)
	}
	return names
}

// LeftOf lists what the engine has of a run.
func LeftOf(t testing.TB, run string) []string {
	t.Helper()
	return Objects(t, API, owner.LabelRun+"="+run)
}

// AssertNothingLeft fails the test if the engine has anything of a run.
func AssertNothingLeft(t testing.TB, run string) {
	t.Helper()
	require.Empty(t, LeftOf(t, run), "left on the engine")
}

// RemoveObjects removes what Objects or LeftOf returned.
func RemoveObjects(t testing.TB, objects []string) {
	t.Helper()
	for _, o := range objects {
		kind, name, _ := strings.Cut(o, " ")
		if kind == "volume" {
			require.NoError(t, API.VolumeRemove(context.Background(), name, false))
		} else {
			require.NoError(t, API.ContainerRemove(context.Background(), name, container.RemoveOptions{Force: true, RemoveVolumes: true}))
		}
	}
}
