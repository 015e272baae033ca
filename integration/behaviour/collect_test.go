//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// collecting is a script and the paths to collect after it.
func collecting(script string, paths ...string) sandbox.Job {
	j := runtest.Shell(script)
	j.Collect = paths
	return j
}

// texts returns the artifacts as strings.
func texts(res sandbox.Result) map[string]string {
	found := map[string]string{}
	for path, content := range res.Artifacts {
		found[path] = string(content)
	}
	return found
}

func TestCollectFromEveryWritableDirectory(t *testing.T) {
	t.Parallel()
	image := enginetest.MakeImage(t, "collect-volume", enginetest.BusyboxFiles(), "VOLUME /data/")
	paths := []string{"/workspace/f", "/tmp/f", "/in/f", "/data/f", "/workspace/below/f"}
	for name, input := range map[string][]byte{"with input": tarball.Of(tarball.File{Name: "in"}), "without": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := collecting("mkdir /workspace/below; for f in "+strings.Join(paths, " ")+"; do echo $f >$f; done", paths...)
			j.Image, j.InputDir = image, "/in"
			if input != nil {
				j.InputTar = bytes.NewReader(input)
			}
			res := runtest.OK(t, j)
			require.Nil(t, res.Uncollected, "%s", res.Logs)
			for _, path := range paths {
				require.Equal(t, path+"\n", string(res.Artifacts[path]))
			}
		})
	}
}

func TestCollectFromHomeAndImage(t *testing.T) {
	t.Parallel()
	j := collecting("echo home >$HOME/f", "/tmp/f", "/etc/os-release", "/workspace/none")
	res := runtest.OK(t, j)
	require.Equal(t, map[string]string{"/tmp/f": "home\n", "/etc/os-release": "ID=busybox\n"}, texts(res))
	require.Len(t, res.Uncollected, 1)
	require.ErrorIs(t, res.Uncollected["/workspace/none"], fs.ErrNotExist)
}

func TestCollectDirectory(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("/d", 100)
	j := collecting(`mkdir -p out/a `+strings.TrimPrefix(deep, "/")+`; echo 1 >out/1; echo 2 >out/a/2; : >out/empty; ln out/1 out/again
		echo deep >.`+deep+`/f; printf odd >"out/$(printf 'new\nline\377')"`, "/workspace/out/", "/workspace"+deep, "/workspace/out/1")
	j.WorkDir = "/workspace"
	res := runtest.OK(t, j)
	require.Nil(t, res.Uncollected)
	require.Equal(t, map[string]string{
		"/workspace/out/1": "1\n", "/workspace/out/a/2": "2\n", "/workspace/out/empty": "", "/workspace/out/again": "1\n",
		"/workspace" + deep + "/f": "deep\n", "/workspace/out/new\nline\xff": "odd",
	}, texts(res))
	require.NotNil(t, res.Artifacts["/workspace/out/empty"])
}

// A directory above writable directories stands for what they contain.
func TestCollectAboveWritableDirectories(t *testing.T) {
	t.Parallel()
	j := collecting("echo a >/srv/one/f; echo b >/srv/f 2>/dev/null || true", "/srv")
	j.InputDir = "/srv/one"
	require.Equal(t, map[string]string{"/srv/one/f": "a\n"}, texts(runtest.OK(t, j)))
}

// An attacker wants a file of the image or the host instead of one of the job's own,
// or an engine that waits forever on a fifo.
func TestCollectFollowsNothing(t *testing.T) {
	t.Parallel()
	j := collecting(`ln -s /etc/os-release link; mkdir real; echo x >real/f; ln -s real parent; ln -s / root
		mkfifo fifo; /probe socket socket; mkdir dir; ln -s /etc dir/etc; mkfifo dir/fifo; echo good >dir/f; ln -s /etc swapped`,
		"/workspace/link", "/workspace/parent/f", "/workspace/root/etc/os-release", "/workspace/fifo", "/workspace/socket",
		"/workspace/dir", "/workspace/swapped", "/workspace/swapped/os-release", "/workspace/real/f/below", "/bin/sh", "/device")
	j.Image = enginetest.MakeImage(t, "special", append(enginetest.BusyboxFiles(),
		enginetest.ProbeFile(), tarball.File{Name: "device", Kind: tar.TypeBlock}))
	j.WorkDir = "/workspace"
	res := runtest.OK(t, j)
	require.Equal(t, map[string]string{"/workspace/dir/f": "good\n"}, texts(res))
	below := "/workspace/real/f/below"
	require.ErrorIs(t, res.Uncollected[below], fs.ErrNotExist)
	delete(res.Uncollected, below)
	want := append(slices.DeleteFunc(j.Collect, func(p string) bool { return p == below || p == "/workspace/dir" }),
		"/workspace/dir/etc", "/workspace/dir/fifo")
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(res.Uncollected)))
	for path, why := range res.Uncollected {
		require.ErrorIs(t, why, sandbox.ErrNotRegular, path)
	}
}

func TestCollectOverTheCap(t *testing.T) {
	t.Parallel()
	j := collecting(`head -c 600 /dev/zero >a; head -c 600 /dev/zero >b; head -c 400 /dev/zero >c; mkdir d; echo 1 >d/f; : >d/empty`,
		"/workspace/a", "/workspace/b", "/workspace/c", "/workspace/d")
	j.WorkDir, j.Limits.ArtifactBytes = "/workspace", 1000
	res := runtest.OK(t, j)
	require.ElementsMatch(t, []string{"/workspace/a", "/workspace/c", "/workspace/d/empty"}, slices.Collect(maps.Keys(res.Artifacts)))
	require.ErrorIs(t, res.Uncollected["/workspace/b"], sandbox.ErrTooLarge)
	require.ErrorIs(t, res.Uncollected["/workspace/d/f"], sandbox.ErrTooLarge)
	require.Len(t, res.Uncollected, 2)
}

// A sparse file costs nothing to create, and must cost nothing to refuse: by itself
// its size is known before it is read, in a directory from its header.
func TestCollectSparseFile(t *testing.T) {
	for _, path := range []string{"/workspace/sparse", "/workspace"} {
		j := collecting("touch sparse", path)
		j.WorkDir = "/workspace"
		start := time.Now()
		runtest.OK(t, j)
		plain := time.Since(start)

		j = collecting("truncate -s 20G sparse", path)
		j.WorkDir = "/workspace"
		start = time.Now()
		res := runtest.OK(t, j)
		require.Less(t, time.Since(start), time.Second+3*plain, path)
		require.ErrorIs(t, res.Uncollected["/workspace/sparse"], sandbox.ErrTooLarge)
		require.ErrorIs(t, res.Uncollected[path], sandbox.ErrTooLarge, "it may not be skipped, so the directory is only partly read")
		require.Nil(t, res.Artifacts)
	}
}
