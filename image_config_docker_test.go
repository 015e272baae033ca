//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// loadImage loads an image in the format of docker save: its configuration may
// hold what an import refuses.
func loadImage(t testing.TB, name, arch string, files []tarball.File, config container.Config) string {
	t.Helper()
	ref := newRef(name)
	layer := tarball.Of(files...)
	content, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": arch, "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	require.NoError(t, err)
	archive := tarball.Of(
		tarball.File{Name: "config.json", Body: string(content)}, tarball.File{Name: "layer.tar", Body: string(layer)},
		tarball.File{Name: "manifest.json", Body: fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":["layer.tar"]}]`, ref)})
	loaded, err := api.ImageLoad(context.Background(), bytes.NewReader(archive))
	require.NoError(t, err)
	defer loaded.Body.Close()
	answer, err := io.ReadAll(loaded.Body)
	require.NoError(t, err)
	require.Contains(t, string(answer), "Loaded image", "%s", answer)
	return ref
}

// meddling is an image whose configuration tries everything.
var meddling = sync.OnceValue(func() string {
	files := append(busyboxFiles(), tarball.File{Name: "probe", Body: probeBinary(), Mode: 0o755},
		tarball.File{Name: "usr/"}, tarball.File{Name: "data/"}, tarball.File{Name: "data/hidden", Body: "hidden"}, tarball.File{Name: "src/"})
	return loadImage(imageTB{}, "meddling", runtime.GOARCH, files, container.Config{
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
		Labels:     map[string]string{owner.LabelRun: "another", "b": "image"},
	})
})

func TestImageConfigDoesNotWeakenAnything(t *testing.T) {
	t.Parallel()
	tmpfs, disk := "tmpfs of 32 MiB, exec", "disk, exec"
	input := tarball.Of(tarball.File{Name: "cache/"}, tarball.File{Name: "cache/old"}, tarball.File{Name: "beside"})
	for name, c := range map[string]struct {
		job      Job
		writable map[string]string
	}{
		"plain": {Job{}, map[string]string{"/data": tmpfs, "/workspace/cache": tmpfs}},
		"input": {Job{InputTar: bytes.NewReader(input)}, map[string]string{
			"/data": tmpfs, "/workspace": disk, "/workspace/beside": "",
			"/workspace/cache": disk, "/workspace/cache/old": ""}},
		"artifact": {Job{Collect: []string{"/data/file"}}, map[string]string{"/data": disk, "/workspace/cache": tmpfs}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.job.Image = meddling()
			// Time enough for many of the image's health checks.
			c.job.Cmd = []string{"sh", "-c", "sleep 0.5; exec /probe report"}
			requireHardened(t, c.job, hardened(c.writable))
		})
	}
}

// An ENTRYPOINT and an ENV keep their meaning in Docker.
func TestImageEntrypointAndEnv(t *testing.T) {
	t.Parallel()
	j := sh("echo $ENTRY $A $B $C $(pwd)")
	j.Image = meddling()
	j.Env = map[string]string{"B": "job", "C": "job"}
	require.Equal(t, "point image job job /src\n", output(t, j))
}

func TestImageStopSignalDoesNotDelayTheTimeout(t *testing.T) {
	t.Parallel()
	j := sh("trap '' TERM; sleep 1000")
	j.Image = meddling()
	j.Limits.Timeout = time.Second
	start := time.Now()
	res := ok(t, j)
	require.True(t, res.TimedOut)
	require.Equal(t, 137, res.ExitCode)
	// The engine would wait 10 s for a stop.
	require.Less(t, time.Since(start), 9*time.Second)
}

// The input has files where the image has a VOLUME.
func TestImageVolumeInsideInputDir(t *testing.T) {
	t.Parallel()
	j := sh("exec 2>&1; cat cache/deep/old; echo more >>cache/deep/old; echo new >cache/new; rm cache/gone; echo up >beside; cat /data/hidden")
	j.Image = meddling()
	j.WorkDir = "/workspace"
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "cache/deep/old", Body: "old\n", Mode: 0o400}, tarball.File{Name: "cache/gone"}, tarball.File{Name: "beside"}))
	j.Collect = []string{"/workspace"}
	res := ok(t, j)
	require.Equal(t, "old\ncat: can't open '/data/hidden': No such file or directory\n", string(res.Logs))
	require.Equal(t, map[string][]byte{
		"/workspace/beside": []byte("up\n"), "/workspace/cache/new": []byte("new\n"), "/workspace/cache/deep/old": []byte("old\nmore\n"),
	}, res.Artifacts)
}

// While it runs, the engine has the container under our label, without a health
// check, and with no volume but the run's own.
func TestImageConfigAsTheEngineSeesTheContainer(t *testing.T) {
	t.Parallel()
	r, err := New(Options{})
	require.NoError(t, err)
	j := sh("sleep 1000")
	j.Image = meddling()
	j.InputTar = bytes.NewReader(tarball.Of())
	id, ended := owner.RandomID(), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel() // there is no start to wait for after the end
		_, err := r.RunOnce(owner.WithID(context.Background(), id), j)
		ended <- err
	}()
	waitRunning(t, ctx, owner.NamePrefix+id)
	seen, err := api.ContainerInspect(t.Context(), owner.NamePrefix+id)
	staging, stagingErr := api.ContainerInspect(t.Context(), owner.NamePrefix+id+"-stage")
	require.NoError(t, api.ContainerKill(t.Context(), owner.NamePrefix+id, "KILL"))
	require.NoError(t, errors.Join(err, stagingErr))
	require.NoError(t, <-ended)
	require.NoError(t, r.Close())
	assertNothingLeft(t, id)

	require.Equal(t, map[string]string{owner.LabelRun: id, owner.LabelOwner: owner.Self().String(), owner.LabelExpires: owner.NoExpiry, "b": "image"}, seen.Config.Labels)
	require.Nil(t, seen.State.Health)
	var mounts []string
	for _, m := range append(seen.Mounts, staging.Mounts...) {
		require.Equal(t, mount.TypeVolume, m.Type)
		require.True(t, strings.HasPrefix(m.Name, owner.NamePrefix+id), "anonymous: %s at %s", m.Name, m.Destination)
		mounts = append(mounts, strings.TrimPrefix(m.Destination, "/"+owner.NamePrefix+id))
	}
	slices.Sort(mounts)
	require.Equal(t, []string{"/workspace", "/workspace", "/workspace/cache", "/workspace/cache"}, mounts)
}

// HOME is writable and outside InputDir. The image sets HOME and GOPATH, as
// golang's images do the latter.
func TestHomeAndModuleCache(t *testing.T) {
	t.Parallel()
	env := func(name, value string) map[string]string { return map[string]string{name: value} }
	empty := func() io.Reader { return bytes.NewReader(tarball.Of()) }
	overTmp := []Mount{{Source: sharedDir(t), Target: "/tmp", ReadOnly: true}}
	for name, c := range map[string]struct {
		job  Job
		want string
	}{
		"plain":             {Job{}, "/tmp /tmp/go/pkg/mod"},
		"input":             {Job{InputTar: empty()}, "/tmp /tmp/go/pkg/mod"},
		"input in /tmp":     {Job{InputTar: empty(), InputDir: "/tmp"}, "/workspace /workspace/go/pkg/mod"},
		"mount":             {Job{Mounts: overTmp, InputDir: "/in"}, "/workspace /workspace/go/pkg/mod"},
		"mount and input":   {Job{Mounts: overTmp, InputTar: empty()}, "/home/sandbox /home/sandbox/go/pkg/mod"},
		"own HOME":          {Job{Env: env("HOME", "/workspace/me")}, "/workspace/me /workspace/me/go/pkg/mod"},
		"own GOPATH":        {Job{Env: env("GOPATH", "/tmp/own")}, "/tmp none"},
		"own GOMODCACHE":    {Job{Env: env("GOMODCACHE", "/tmp/own")}, "/tmp /tmp/own"},
		"no GOPATH at all":  {Job{Image: busybox()}, "/tmp none"},
		"GOPATH of the job": {Job{Image: busybox(), Env: env("GOPATH", "/tmp/own")}, "/tmp none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := c.job
			j.Cmd, j.Limits.Network = []string{"sh", "-c", "mkdir -p $HOME/new $GOMODCACHE && echo $HOME ${GOMODCACHE:-none}"}, "none"
			if j.Image == "" {
				j.Image = meddling()
			}
			require.Equal(t, c.want+"\n", output(t, j))
		})
	}
}

// A WorkDir that does not exist is made, for root and not for the job.
func TestWorkDirThatDoesNotExist(t *testing.T) {
	t.Parallel()
	for dir, complaint := range map[string]string{"/no/such/dir": "Read-only file system", "/workspace/no/such": "Permission denied"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			j := sh("exec 2>&1; pwd; ls -A; touch file")
			j.WorkDir = dir
			res := ok(t, j)
			require.Equal(t, 1, res.ExitCode)
			require.Equal(t, dir+"\ntouch: file: "+complaint+"\n", string(res.Logs))
		})
	}
}

func TestWorkDirThatIsAFile(t *testing.T) {
	t.Parallel()
	j := sh("true")
	j.WorkDir = "/etc/os-release"
	refused(t, j, OpCreate, "/etc/os-release is not a directory")
}
