//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// refused runs a job that is refused with the help of the engine.
func refused(t *testing.T, j sandbox.Job, op sandbox.Op, want string) {
	t.Helper()
	res, err := runtest.Do(t, j)
	var step *sandbox.Error
	require.ErrorAs(t, err, &step)
	require.Equal(t, op, step.Op, "%v", err)
	require.ErrorContains(t, err, want)
	require.Equal(t, -1, res.ExitCode)
	require.Nil(t, res.Logs)
}

func TestBadNetworks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	bridge, err := enginetest.API.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	require.NoError(t, err)
	if enginetest.Podman() {
		bridge.Name = "podman" // also by its other name
	}
	for name, want := range map[string]string{
		"no-such-network": "the engine has no such network",
		bridge.ID[:12]:    `is the ID of network "` + bridge.Name + `"`,
	} {
		j := runtest.Shell("true")
		j.Limits.Network = name
		refused(t, j, sandbox.OpValidate, `Limits.Network "`+name+`"`)
		refused(t, j, sandbox.OpValidate, want)

		j = withSetup(runtest.Shell("true"), "true")
		j.Setup.Network = name
		refused(t, j, sandbox.OpValidate, `Setup.Network "`+name+`"`)
	}
}

// A part of an ID can stand for the host's network, whose name is refused.
func TestBadNetworkByTheHostsID(t *testing.T) {
	t.Parallel()
	host, err := enginetest.API.NetworkInspect(context.Background(), "host", network.InspectOptions{})
	require.NoError(t, err)
	j := runtest.Shell("true")
	j.Limits.Network = host.ID[:12]
	refused(t, j, sandbox.OpValidate, `is the ID of network "host"`)
}

func TestUserDefinedNetwork(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := strings.ReplaceAll(enginetest.ImagePrefix, "/", "-") + "network"
	created, err := enginetest.API.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Internal: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, enginetest.API.NetworkRemove(ctx, created.ID)) })
	j := runtest.Shell("ls /sys/class/net")
	j.Limits.Network = name
	require.Equal(t, "eth0\nlo\n", runtest.Output(t, j))
}

// On an internal network a job is given no name server of the host's: older engines would pass
// its questions on to them.
func TestNamesOnAnInternalNetwork(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, internal := range []bool{true, false} {
		created, err := enginetest.API.NetworkCreate(ctx, owner.RandomID(), network.CreateOptions{Driver: "bridge", Internal: internal})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, enginetest.API.NetworkRemove(ctx, created.ID)) })
		made, err := enginetest.API.NetworkInspect(ctx, created.ID, network.InspectOptions{})
		require.NoError(t, err)
		var sent struct{ HostConfig container.HostConfig }
		p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
			if x.String() == "POST /containers/create job" {
				body, _ := io.ReadAll(x.Request.Body)
				x.Request.Body = io.NopCloser(bytes.NewReader(body))
				json.Unmarshal(body, &sent)
			}
			x.Forward()
		})
		r, err := sandbox.New(sandbox.Options{Host: p.Host})
		require.NoError(t, err)
		j := runtest.Shell("cat /etc/resolv.conf")
		j.Limits.Network = made.Name
		res, _, err := runtest.RunWith(ctx, r, j)
		require.NoError(t, err, "%s", res.Logs)
		require.NoError(t, r.Close())
		require.EqualValues(t, made.Name, sent.HostConfig.NetworkMode)
		var want []string
		if internal && !enginetest.Podman() {
			want = []string{"127.0.0.1"}
		}
		require.Equal(t, want, sent.HostConfig.DNS)
	}
}

func TestMountOfAnAbsentSource(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	j := runtest.Shell("true")
	j.Mounts = []sandbox.Mount{{Source: absent, Target: "/m", ReadOnly: true}}
	refused(t, j, sandbox.OpCreate, `Mounts[0].Source "`+absent+`" does not exist on the engine's host`)
	require.NoDirExists(t, absent, "nothing is made on the host for it")
}

// A job that cannot be created does not wait for its input, which has no end here, and the error
// is that of the container.
func TestMountOfAnAbsentSourceWithAnInput(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	j := runtest.Shell("true")
	j.Mounts = []sandbox.Mount{{Source: absent, Target: "/m", ReadOnly: true}}
	header := tarball.Of(tarball.File{Name: "endless", Body: strings.Repeat("x", 1<<20)})[:512+1<<20]
	var n int
	j.InputTar = runtest.ReaderFunc(func(p []byte) (int, error) {
		k := copy(p, header[n%len(header):])
		n += k
		return k, nil
	})
	refused(t, j, sandbox.OpCreate, `Mounts[0].Source "`+absent+`" does not exist`)
}

func TestMountOfTheEnginesData(t *testing.T) {
	t.Parallel()
	info, err := enginetest.API.Info(context.Background())
	require.NoError(t, err)
	for _, source := range []string{info.DockerRootDir, info.DockerRootDir + "/volumes", filepath.Dir(info.DockerRootDir)} {
		j := runtest.Shell("true")
		j.Mounts = []sandbox.Mount{{Source: source, Target: "/m", ReadOnly: true}}
		refused(t, j, sandbox.OpValidate, `Mounts[0].Source "`+source+`"`)
	}
}

// sharedDir is a directory that the user of a job can write to.
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
	target := "/a:b"
	if enginetest.Podman() { // see TestPodmanRefuses
		target = "/a b"
	}
	j := runtest.Shell(`cat "$AT/data"; echo x >"$AT/new"`)
	j.Env = map[string]string{"AT": target}
	j.Mounts = []sandbox.Mount{{Source: dir, Target: target, ReadOnly: true}}
	res := runtest.OK(t, j)
	require.NotZero(t, res.ExitCode)
	require.Contains(t, string(res.Logs), "host")
	require.Contains(t, string(res.Logs), "Read-only file system")
	require.NoFileExists(t, filepath.Join(dir, "new"))

	j.Mounts[0].ReadOnly = false
	require.Equal(t, "host", runtest.Output(t, j))
	require.FileExists(t, filepath.Join(dir, "new"))
}

// A recursive read-only bind mount would be writable below a mount in its source.
func TestMountDoesNotPassOnSubmounts(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	below := filepath.Join(dir, "below")
	require.NoError(t, os.Mkdir(below, 0o777))
	require.NoError(t, syscall.Mount("tmpfs", below, "tmpfs", 0, "mode=0777"), "this test mounts a tmpfs on the host: run it as root")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(below, syscall.MNT_DETACH)) })
	require.NoError(t, os.WriteFile(filepath.Join(below, "secret"), []byte("secret"), 0o666))
	j := runtest.Shell("ls -A /m/below; echo x >/m/below/new")
	j.Mounts = []sandbox.Mount{{Source: dir, Target: "/m", ReadOnly: true}}
	res := runtest.OK(t, j)
	require.NotZero(t, res.ExitCode)
	require.NotContains(t, string(res.Logs), "secret")
	require.NoFileExists(t, filepath.Join(below, "new"))
}
