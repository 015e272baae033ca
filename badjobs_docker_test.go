//go:build docker

package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"
)

// refused runs a job that the engine is needed to refuse.
func refused(t *testing.T, j Job, op Op, want string) {
	t.Helper()
	res, err := do(t, j)
	var step *Error
	require.ErrorAs(t, err, &step)
	require.Equal(t, op, step.Op, "%v", err)
	require.ErrorContains(t, err, want)
	require.Equal(t, -1, res.ExitCode)
	require.Nil(t, res.Logs)
}

func TestBadNetworks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	bridge, err := api.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	require.NoError(t, err)
	for name, want := range map[string]string{
		"no-such-network": "the engine has no such network",
		bridge.ID[:12]:    `is the ID of network "bridge"`,
	} {
		j := sh("true")
		j.Limits.Network = name
		refused(t, j, OpValidate, `Limits.Network "`+name+`"`)
		refused(t, j, OpValidate, want)
	}
}

// Part of an ID resolves to the host's network, whose name is refused.
func TestBadNetworkByTheHostsID(t *testing.T) {
	t.Parallel()
	host, err := api.NetworkInspect(context.Background(), "host", network.InspectOptions{})
	require.NoError(t, err)
	j := sh("true")
	j.Limits.Network = host.ID[:12]
	refused(t, j, OpValidate, `is the ID of network "host"`)
}

func TestUserDefinedNetwork(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := strings.ReplaceAll(testImages, "/", "-") + "network"
	created, err := api.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Internal: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, api.NetworkRemove(ctx, created.ID)) })
	j := sh("ls /sys/class/net")
	j.Limits.Network = name
	require.Equal(t, "eth0\nlo\n", output(t, j))
}

func TestBridgeIsTheDefaultNetwork(t *testing.T) {
	t.Parallel()
	j := sh("ls /sys/class/net")
	j.Limits.Network = ""
	require.Equal(t, "eth0\nlo\n", output(t, j))
}

func TestMountOfAnAbsentSource(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	j := sh("true")
	j.Mounts = []Mount{{Source: absent, Target: "/m", ReadOnly: true}}
	refused(t, j, OpCreate, `Mounts[0].Source "`+absent+`" does not exist on the engine's host`)
	require.NoDirExists(t, absent, "nothing is made on the host for it")
}

func TestMountOfTheEnginesData(t *testing.T) {
	t.Parallel()
	info, err := api.Info(context.Background())
	require.NoError(t, err)
	for _, source := range []string{info.DockerRootDir, info.DockerRootDir + "/volumes", filepath.Dir(info.DockerRootDir)} {
		j := sh("true")
		j.Mounts = []Mount{{Source: source, Target: "/m", ReadOnly: true}}
		refused(t, j, OpValidate, `Mounts[0].Source "`+source+`"`)
	}
}

// sharedDir is a directory that the user of a job may write to.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755)) // the user of the job must get through
	}
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

func TestMountReadOnlyAndNot(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), []byte("host"), 0o644))
	j := sh("cat /a:b/data; echo x >/a:b/new")
	j.Mounts = []Mount{{Source: dir, Target: "/a:b", ReadOnly: true}}
	res := ok(t, j)
	require.NotZero(t, res.ExitCode)
	require.Contains(t, string(res.Logs), "host")
	require.Contains(t, string(res.Logs), "Read-only file system")
	require.NoFileExists(t, filepath.Join(dir, "new"))

	j.Mounts[0].ReadOnly = false
	require.Equal(t, "host", output(t, j))
	require.FileExists(t, filepath.Join(dir, "new"))
}

// A recursive read-only bind would be writable below a mount in its source.
func TestMountDoesNotPassOnSubmounts(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	below := filepath.Join(dir, "below")
	require.NoError(t, os.Mkdir(below, 0o777))
	require.NoError(t, syscall.Mount("tmpfs", below, "tmpfs", 0, "mode=0777"), "this test mounts a tmpfs on the host: run it as root")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(below, syscall.MNT_DETACH)) })
	require.NoError(t, os.WriteFile(filepath.Join(below, "secret"), []byte("secret"), 0o666))
	j := sh("ls -A /m/below; echo x >/m/below/new")
	j.Mounts = []Mount{{Source: dir, Target: "/m", ReadOnly: true}}
	res := ok(t, j)
	require.NotZero(t, res.ExitCode)
	require.NotContains(t, string(res.Logs), "secret")
	require.NoFileExists(t, filepath.Join(below, "new"))
}
