//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// hostileConfig is an image whose configuration tries to change everything.
var hostileConfig = enginetest.Once(func(t testing.TB) string {
	files := append(enginetest.BusyboxFiles(), enginetest.ProbeFile(),
		tarball.File{Name: "usr/"}, tarball.File{Name: "data/"}, tarball.File{Name: "data/hidden", Body: "hidden"}, tarball.File{Name: "src/"})
	return enginetest.LoadImage(t, "hostile-config", runtime.GOARCH, files, container.Config{
		User:       "root",
		Entrypoint: []string{"/bin/env", "ENTRY=point"},
		Cmd:        []string{"echo", "the image's command"},
		Volumes:    map[string]struct{}{"/data/": {}, "/workspace/cache": {}},
		Healthcheck: &container.HealthConfig{
			Test: []string{"CMD", "/bin/touch", "/tmp/checked"}, Interval: 10 * time.Millisecond, Timeout: time.Second,
		},
		Env:        []string{"PATH=/bin", "A=image", "B=image", "HOME=/root", "GOPATH=/go"},
		StopSignal: "SIGCONT",
		WorkingDir: "/src",
		Labels: map[string]string{
			owner.LabelRun: "another", owner.LabelExpires: "2020-01-01T00:00:00Z", "b": "image",
			owner.LabelTimeout: "1ns", owner.LabelEnding: "0s", owner.LabelReading: "0s",
		},
	})
})

func TestImageConfigDoesNotWeakenAnything(t *testing.T) {
	t.Parallel()
	tmpfs, disk := "tmpfs of 32 MiB, exec", "disk, exec"
	input := tarball.Of(tarball.File{Name: "cache/"}, tarball.File{Name: "cache/old"}, tarball.File{Name: "beside"})
	for name, c := range map[string]struct {
		job      sandbox.Job
		writable map[string]string
	}{
		"plain": {sandbox.Job{}, map[string]string{"/data": tmpfs, "/workspace/cache": tmpfs}},
		"input": {sandbox.Job{InputTar: bytes.NewReader(input)}, map[string]string{
			"/data": tmpfs, "/workspace": disk, "/workspace/beside": "",
			"/workspace/cache": disk, "/workspace/cache/old": ""}},
		"artifact": {sandbox.Job{Collect: []string{"/data/file"}}, map[string]string{"/data": disk, "/workspace/cache": tmpfs}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.job.Image = hostileConfig()
			// This is long enough for many of the image's health checks.
			c.job.Cmd = []string{"sh", "-c", "sleep 0.5; exec /probe report"}
			requireHardened(t, c.job, hardened(c.writable))
		})
	}
}

// ENTRYPOINT and ENV have their usual meaning.
func TestImageEntrypointAndEnv(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("echo $ENTRY $A $B $C $(pwd)")
	j.Image = hostileConfig()
	j.Env = map[string]string{"B": "job", "C": "job"}
	require.Equal(t, "point image job job /src\n", runtest.Output(t, j))
}

func TestImageStopSignalDoesNotDelayTheTimeout(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("trap '' TERM; sleep 1000")
	j.Image = hostileConfig()
	j.Limits.Timeout = time.Second
	bound := promptly(t)
	start := time.Now()
	res := runtest.OK(t, j)
	require.True(t, res.TimedOut)
	require.Equal(t, 137, res.ExitCode)
	// For a stop the engine would wait 10 s more.
	require.Less(t, time.Since(start)-j.Limits.Timeout, bound)
}

// The input has files where the image has a VOLUME.
func TestImageVolumeInsideInputDir(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("exec 2>&1; cat cache/deep/old; echo more >>cache/deep/old; echo new >cache/new; rm cache/gone; echo up >beside; cat /data/hidden")
	j.Image = hostileConfig()
	j.WorkDir = "/workspace"
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "cache/deep/old", Body: "old\n", Mode: 0o400}, tarball.File{Name: "cache/gone"}, tarball.File{Name: "beside"}))
	j.Collect = []string{"/workspace"}
	res := runtest.OK(t, j)
	require.Equal(t, "old\ncat: can't open '/data/hidden': No such file or directory\n", string(res.Logs))
	require.Equal(t, map[string][]byte{
		"/workspace/beside": []byte("up\n"), "/workspace/cache/new": []byte("new\n"), "/workspace/cache/deep/old": []byte("old\nmore\n"),
	}, res.Artifacts)
}

// While the job runs, its container has our labels, no health check, and no volumes but
// the run's own.
func TestImageConfigAsTheEngineSeesTheContainer(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("sleep 1000")
	j.Image = hostileConfig()
	j.InputTar = bytes.NewReader(tarball.Of())
	var seen, staging container.InspectResponse
	_, err := runtest.WhileRunning(t, j, func(ctx context.Context, name string) error {
		var errs [3]error
		seen, errs[0] = enginetest.API.ContainerInspect(ctx, name)
		staging, errs[1] = enginetest.API.ContainerInspect(ctx, name+"-stage")
		errs[2] = enginetest.API.ContainerKill(ctx, name, "KILL")
		return errors.Join(errs[:]...)
	})
	require.NoError(t, err)
	id, ours := strings.CutPrefix(seen.Name, "/"+owner.NamePrefix)
	require.True(t, ours, seen.Name)

	labels := owner.Labels(id, time.Time{})
	labels["b"] = "image"
	require.Equal(t, labels, seen.Config.Labels)
	require.Nil(t, seen.State.Health)
	var mounts []string
	if enginetest.Podman() { // one volume, and parts of it
		for _, m := range seen.Mounts {
			require.Contains(t, m.Source, "/"+owner.NamePrefix+id+"-0/_data/tree")
			mounts = append(mounts, m.Destination)
		}
		slices.Sort(mounts)
		require.Equal(t, []string{"/workspace", "/workspace/cache"}, mounts)
		require.Len(t, staging.Mounts, 1)
		return
	}
	for _, m := range append(seen.Mounts, staging.Mounts...) {
		if strings.HasPrefix(m.Destination, "/etc/") { // the files of network "none"
			require.False(t, m.RW)
			continue
		}
		require.Equal(t, mount.TypeVolume, m.Type)
		require.True(t, strings.HasPrefix(m.Name, owner.NamePrefix+id), "anonymous: %s at %s", m.Name, m.Destination)
		mounts = append(mounts, strings.TrimPrefix(m.Destination, "/"+owner.NamePrefix+id))
	}
	slices.Sort(mounts)
	require.Equal(t, []string{"/tree/2", "/tree/3", "/workspace", "/workspace/cache"}, mounts, "side by side where they are filled")
}

// HOME is writable and outside InputDir. The image sets HOME and GOPATH; the golang
// images set GOPATH.
func TestHomeAndModuleCache(t *testing.T) {
	t.Parallel()
	env := func(name, value string) map[string]string { return map[string]string{name: value} }
	empty := func() io.Reader { return bytes.NewReader(tarball.Of()) }
	overTmp := []sandbox.Mount{{Source: sharedDir(t), Target: "/tmp", ReadOnly: true}}
	for name, c := range map[string]struct {
		job  sandbox.Job
		want string
	}{
		"plain":             {sandbox.Job{}, "/tmp /tmp/go/pkg/mod"},
		"input":             {sandbox.Job{InputTar: empty()}, "/tmp /tmp/go/pkg/mod"},
		"input in /tmp":     {sandbox.Job{InputTar: empty(), InputDir: "/tmp"}, "/workspace /workspace/go/pkg/mod"},
		"mount":             {sandbox.Job{Mounts: overTmp, InputDir: "/in"}, "/workspace /workspace/go/pkg/mod"},
		"mount and input":   {sandbox.Job{Mounts: overTmp, InputTar: empty()}, "/home/sandbox /home/sandbox/go/pkg/mod"},
		"own HOME":          {sandbox.Job{Env: env("HOME", "/workspace/me")}, "/workspace/me /workspace/me/go/pkg/mod"},
		"own GOPATH":        {sandbox.Job{Env: env("GOPATH", "/tmp/own")}, "/tmp none"},
		"own GOMODCACHE":    {sandbox.Job{Env: env("GOMODCACHE", "/tmp/own")}, "/tmp /tmp/own"},
		"no GOPATH at all":  {sandbox.Job{Image: enginetest.Busybox()}, "/tmp none"},
		"GOPATH of the job": {sandbox.Job{Image: enginetest.Busybox(), Env: env("GOPATH", "/tmp/own")}, "/tmp none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := c.job
			j.Cmd, j.Limits.Network = []string{"sh", "-c", "mkdir -p $HOME/new $GOMODCACHE && echo $HOME ${GOMODCACHE:-none}"}, "none"
			if j.Image == "" {
				j.Image = hostileConfig()
			}
			require.Equal(t, c.want+"\n", runtest.Output(t, j))
		})
	}
}

func TestWorkDirThatIsAFile(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("true")
	j.WorkDir = "/etc/os-release"
	if enginetest.Podman() { // it looks when it prepares the start
		refused(t, j, sandbox.OpStart, `workdir "/etc/os-release" exists on container`)
		return
	}
	refused(t, j, sandbox.OpCreate, "/etc/os-release is not a directory")
}
