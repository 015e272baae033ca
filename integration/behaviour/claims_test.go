//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// disks are the sizes of disks with which a test is run: 0 is none. Podman and rootless
// Docker refuse others, see TestPodmanRefuses and TestRootlessRefuses.
func disks() []int64 {
	if enginetest.Podman() || enginetest.Rootless() {
		return []int64{0}
	}
	return []int64{0, 16}
}

// withAndWithoutDisk runs a test for both ways of staging an input.
func withAndWithoutDisk(t *testing.T, test func(t *testing.T, megabytes int64)) {
	for _, megabytes := range disks() {
		t.Run(fmt.Sprintf("DiskMB %d", megabytes), func(t *testing.T) {
			t.Parallel()
			test(t, megabytes)
		})
	}
}

func symlink(name, target string) tarball.File {
	return tarball.File{Name: name, Kind: tar.TypeSymlink, Link: target}
}

// graderDir is a directory of the host, with one directory in it.
func graderDir(t *testing.T) string {
	t.Helper()
	dir := sharedDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	return dir
}

// The input does not decide where a mount, a volume or the working directory is:
// a link at or above one would.
func TestInputOnClaimedPaths(t *testing.T) {
	t.Parallel()
	dir := graderDir(t)
	mountAt := func(target string) func(*sandbox.Job) {
		return func(j *sandbox.Job) {
			j.Mounts = []sandbox.Mount{{Source: dir, Target: target, ReadOnly: true}}
		}
	}
	workDir := func(path string) func(*sandbox.Job) { return func(j *sandbox.Job) { j.WorkDir = path } }
	image := func(changes ...string) func(*sandbox.Job) {
		name := enginetest.MakeImage(t, "claims", enginetest.BusyboxFiles(), changes...)
		return func(j *sandbox.Job) { j.Image = name }
	}
	for name, c := range map[string]struct {
		edit  func(*sandbox.Job)
		input []tarball.File
		want  string
	}{
		"mount on a link": {mountAt("/workspace/grader"), []tarball.File{symlink("grader", "/tmp/x")},
			`entry "grader": is a symbolic link, but Mounts[0].Target "/workspace/grader" is there`},
		"mount below a link": {mountAt("/workspace/a/grader"), []tarball.File{symlink("a", "/tmp")},
			`entry "a": is a symbolic link, but Mounts[0].Target "/workspace/a/grader" is below it`},
		"mount on a file": {mountAt("/workspace/grader"), []tarball.File{{Name: "grader"}},
			`entry "grader": is a regular file, but Mounts[0].Target "/workspace/grader" is there`},
		"working directory of the runtime": {workDir("/workspace/src"), []tarball.File{symlink("src", "/proc/self/fd/7")},
			`entry "src": is a symbolic link, but WorkDir "/workspace/src" is there`},
		"working directory below a link": {workDir("/workspace/a/src"), []tarball.File{symlink("a", "/proc/self")},
			`entry "a": is a symbolic link, but WorkDir "/workspace/a/src" is below it`},
		"working directory is a file": {workDir("/workspace/src"), []tarball.File{{Name: "src"}},
			`entry "src": is a regular file, but WorkDir "/workspace/src" is there`},
		"working directory of the image": {image("WORKDIR /workspace/src"), []tarball.File{symlink("src", "/proc/self/fd/7")},
			`entry "src": is a symbolic link, but the image's WORKDIR "/workspace/src" is there`},
		"volume on a link": {image("VOLUME /workspace/sub"), []tarball.File{symlink("sub", "/etc"), {Name: "x"}},
			`entry "sub": is a symbolic link, but the image's VOLUME "/workspace/sub" is there`},
		"volume below a link": {image("VOLUME /workspace/a/sub"), []tarball.File{symlink("a", "/etc"), {Name: "x"}},
			`entry "a": is a symbolic link, but the image's VOLUME "/workspace/a/sub" is below it`},
		"file of the engine": {func(j *sandbox.Job) { j.InputDir = "/etc" }, []tarball.File{symlink("hosts", "/tmp/x")},
			`entry "hosts": is a symbolic link, but the engine's own file "/etc/hosts" is there`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
				j := runtest.ShellWithDisk("echo ran", megabytes)
				j.InputTar = bytes.NewReader(tarball.Of(c.input...))
				c.edit(&j)
				res, err := runtest.Do(t, j)
				require.Error(t, err, "%d %s", res.ExitCode, res.Logs)
				runtest.RequireOwnError(t, err, sandbox.OpStage)
				require.ErrorContains(t, err, "sandbox: stage: InputTar: "+c.want)
				require.Empty(t, res.Logs)
			})
		})
	}
}

// What the input has beside claimed paths, and directories on them, are its own affair.
// What it does not have there the engine makes.
func TestInputBesideClaimedPaths(t *testing.T) {
	t.Parallel()
	dir := graderDir(t)
	const root, job = "0:0", "65532:65532"
	for name, c := range map[string]struct {
		target, workDir string
		input           []tarball.File
		want            string // the mount, the working directory, and who owns the parents
	}{
		"directories":     {"/workspace/a/grader", "/workspace/src", []tarball.File{{Name: "a/grader/hidden"}, {Name: "src/"}}, "/workspace/a/grader /workspace/src " + job + " " + job},
		"nothing there":   {"/workspace/a/grader", "/workspace/src", nil, "/workspace/a/grader /workspace/src " + root + " " + root},
		"links elsewhere": {"/workspace/a/grader", "/workspace/src", []tarball.File{symlink("grader", "/tmp/x"), symlink("src2", "/proc/self"), {Name: "a/"}}, "/workspace/a/grader /workspace/src " + job + " " + root},
		"in the mount":    {"/workspace/a", "/workspace/a/sub", []tarball.File{symlink("a/sub", "/tmp")}, "/workspace/a /workspace/a/sub " + root + " " + root},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
				j := runtest.ShellWithDisk(`echo $(awk '$2 ~ "/a/?(grader)?$" {print $2}' /proc/mounts) $(pwd -P) $(stat -c %u:%g /workspace/a .)`, megabytes)
				j.InputTar = bytes.NewReader(tarball.Of(c.input...))
				j.Mounts = []sandbox.Mount{{Source: dir, Target: c.target, ReadOnly: true}}
				j.WorkDir = c.workDir
				require.Equal(t, c.want+"\n", runtest.Output(t, j))
			})
		})
	}
}

// A path of Collect is no claim: the input may have a file there, or a link, which is
// not followed.
func TestInputOnCollectedPaths(t *testing.T) {
	t.Parallel()
	withAndWithoutDisk(t, func(t *testing.T, megabytes int64) {
		j := runtest.ShellWithDisk("echo new >/workspace/out; echo $(cat /workspace/link/hosts)", megabytes)
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "out", Body: "old\n"}, tarball.File{Name: "kept", Body: "kept\n"}, symlink("link", "/etc")))
		j.Collect = []string{"/workspace/out", "/workspace/kept", "/workspace/link", "/workspace/link/hosts"}
		res := runtest.OK(t, j)
		require.Equal(t, map[string][]byte{"/workspace/out": []byte("new\n"), "/workspace/kept": []byte("kept\n")}, res.Artifacts)
		for _, path := range j.Collect[2:] {
			if err := res.Uncollected[path]; !enginetest.Podman() || !errors.Is(err, fs.ErrNotExist) { // in the directory
				require.ErrorIs(t, err, sandbox.ErrNotRegular, path)
			}
		}
	})
}
