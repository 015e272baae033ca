//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// engineObjects lists everything that the engine has.
func engineObjects(t *testing.T) []string {
	t.Helper()
	ctx := context.Background()
	var objects []string
	containers, err := enginetest.API.ContainerList(ctx, container.ListOptions{All: true})
	require.NoError(t, err)
	for _, c := range containers {
		objects = append(objects, fmt.Sprint("container ", c.ID, c.Names))
	}
	volumes, err := enginetest.API.VolumeList(ctx, volume.ListOptions{})
	require.NoError(t, err)
	for _, v := range volumes.Volumes {
		objects = append(objects, "volume "+v.Name)
	}
	networks, err := enginetest.API.NetworkList(ctx, network.ListOptions{})
	require.NoError(t, err)
	for _, n := range networks {
		objects = append(objects, "network "+n.Name)
	}
	slices.Sort(objects)
	return objects
}

// Nothing runs beside this test, so all lists of the engine can be compared.
func TestNothingIsLeftOnTheEngine(t *testing.T) {
	enginetest.CheckGoroutines(t)
	image := enginetest.MakeImage(t, "volumes", enginetest.BusyboxFiles(), "VOLUME /data", "VOLUME /workspace/cache")
	before := engineObjects(t)
	for _, script := range []string{"echo fine >/workspace/file", "exit 1", "sleep 60"} {
		j := runtest.Shell(script)
		j.Image = image
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "a"}))
		j.Collect = []string{"/workspace/file", "/tmp"}
		j.Limits.Timeout = 1e9
		runtest.OK(t, j)
		require.Equal(t, before, engineObjects(t), script)
	}
	for name, j := range map[string]sandbox.Job{
		"bad tar":      {Image: image, Cmd: []string{"true"}, InputTar: bytes.NewReader([]byte("no tar"))},
		"bad mount":    {Image: image, Cmd: []string{"true"}, Mounts: []sandbox.Mount{{Source: "/no/such/source", Target: "/mnt", ReadOnly: true}}},
		"bad work dir": {Image: image, Cmd: []string{"true"}, WorkDir: "/etc/os-release"},
	} {
		_, err := runtest.Do(t, j)
		require.ErrorContains(t, err, "sandbox: ", name)
		require.Equal(t, before, engineObjects(t), name)
	}
}

func TestTwentyRunsAtOnce(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell("cat /workspace/in; tr a-z A-Z </workspace/in >/workspace/out")
			j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: fmt.Sprintf("run %d", i)}))
			j.Collect = []string{"/workspace/out"}
			res := runtest.OK(t, j)
			require.Equal(t, fmt.Sprintf("run %d", i), string(res.Logs))
			require.Equal(t, fmt.Sprintf("RUN %d", i), string(res.Artifacts["/workspace/out"]))
		})
	}
}
