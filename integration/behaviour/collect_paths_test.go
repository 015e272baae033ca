//go:build docker

package behaviour_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// requireUncollected checks which paths are missing, and why.
func requireUncollected(t testing.TB, res sandbox.Result, want map[string]error) {
	t.Helper()
	for p, why := range want {
		require.ErrorIs(t, res.Uncollected[p], why, "%q", p)
	}
	require.Len(t, res.Uncollected, len(want), "%v", res.Uncollected)
}

// Writable directories can contain one another, and move when a mount covers them.
func TestCollectFromNestedDirectories(t *testing.T) {
	t.Parallel()
	volumes := enginetest.MakeImage(t, "nested", enginetest.BusyboxFiles(), "VOLUME /data", "VOLUME /workspace/cache")
	for name, c := range map[string]struct {
		image    string
		inputDir string
		covered  bool   // by a mount, /workspace
		dirs     string // the first is the input's
		home     string
	}{
		"default":                 {volumes, "", false, "/workspace /tmp /data /workspace/cache", "/tmp"},
		"input deep":              {volumes, "/srv/a/deep/dir", false, "/srv/a/deep/dir /tmp /workspace", "/tmp"},
		"input in /workspace":     {volumes, "/workspace/a/b", false, "/workspace/a/b /workspace /workspace/cache", "/tmp"},
		"input in a VOLUME":       {volumes, "/data/in", false, "/data/in /data", "/tmp"},
		"input at a VOLUME":       {volumes, "/data", false, "/data /workspace/cache", "/tmp"},
		"input at /tmp":           {enginetest.Busybox(), "/tmp", false, "/tmp /workspace", "/workspace"},
		"mount over /workspace":   {enginetest.Busybox(), "/in", true, "/in /tmp /workspace", "/tmp"},
		"neither can be the home": {enginetest.Busybox(), "/tmp", true, "/tmp /home/sandbox /workspace", "/home/sandbox"},
	} {
		for _, input := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s with input %v", name, input), func(t *testing.T) {
				t.Parallel()
				dirs := strings.Fields(c.dirs)
				want := map[string]string{}
				j := runtest.Shell("echo $HOME; for d in " + c.dirs + "; do mkdir -p $d/new; chmod 777 $d/new; echo $d >$d/new/file; done")
				j.Image, j.InputDir = c.image, c.inputDir
				if c.covered {
					j.Mounts = []sandbox.Mount{{Source: sharedDir(t), Target: "/workspace"}}
				}
				for _, d := range dirs {
					j.Collect = append(j.Collect, d+"/new/file")
					want[d+"/new/file"] = d + "\n"
				}
				if input {
					in := path.Join(dirs[0], "in")
					j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input"}))
					j.Collect = append(j.Collect, in)
					want[in] = "input"
				}
				res := runtest.OK(t, j)
				require.Equal(t, c.home+"\n", string(res.Logs))
				require.Equal(t, want, texts(res))
				require.Nil(t, res.Uncollected)
			})
		}
	}
}

// A file comes out with its directory and by its own path, whatever its name and
// permissions are.
func TestCollectNamesAndModes(t *testing.T) {
	t.Parallel()
	names := append(collectable(oddNames), ".hidden", ".wh.gone", ".wh..wh..opq", strings.Repeat("long", 60))
	script := `mkdir out out/closed out/none; cd out; echo secret >closed/file; chmod 0 closed/file closed; : >empty; printf '\0\1\377' >binary
ln binary again; ln binary none/deeper; for f; do mkdir -p "$(dirname "$f")"; echo odd >"$f"; done; echo odd >"$(printf '\377\376')"`
	want := map[string]string{
		"/workspace/out/closed/file": "secret\n", "/workspace/out/empty": "", "/workspace/out/binary": "\x00\x01\xff",
		"/workspace/out/again": "\x00\x01\xff", "/workspace/out/none/deeper": "\x00\x01\xff",
	}
	j := collecting(script, "/workspace/out")
	j.WorkDir, j.Cmd = "/workspace", append(j.Cmd, "sh")
	for _, name := range names {
		want["/workspace/out/"+name] = "odd\n"
		if name != "\xff\xfe" { // the engine's protocol has no such arguments
			j.Cmd = append(j.Cmd, "./"+name)
		}
	}
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs))
	require.Equal(t, want, texts(res))
	require.Nil(t, res.Uncollected)

	delete(want, "/workspace/out/\xff\xfe") // nor such paths of single files
	j.Collect = nil
	for p := range want {
		j.Collect = append(j.Collect, p)
	}
	res = runtest.OK(t, j)
	require.Equal(t, want, texts(res))
	require.Equal(t, []byte{}, res.Artifacts["/workspace/out/empty"])
}

// A file that is collected more than once counts once.
func TestCollectOverlappingPaths(t *testing.T) {
	t.Parallel()
	for _, paths := range [][]string{
		{"/workspace/d", "/workspace/d/e/b"}, {"/workspace/d/e/b", "/workspace/d"}, {"/workspace/d/e/c", "/workspace/d"},
		{"/workspace/d/e", "/workspace"}, {"/workspace/d", "/workspace/d/e", "/workspace/d/a"},
	} {
		j := collecting("mkdir -p /workspace/d/e; cd /workspace/d; echo 1 >a; echo 2 >e/b; ln a e/c", paths...)
		j.Limits.ArtifactBytes = 6
		res := runtest.OK(t, j)
		require.Nil(t, res.Uncollected, "%v", paths)
		require.Equal(t, map[string]string{"/workspace/d/a": "1\n", "/workspace/d/e/b": "2\n", "/workspace/d/e/c": "1\n"}, texts(res))
	}
}

// A missing path does not affect the others.
func TestCollectMissing(t *testing.T) {
	t.Parallel()
	missing := map[string]error{}
	j := collecting("echo there >/workspace/file; mkfifo /workspace/fifo", "/workspace/file")
	for _, p := range []string{
		"/workspace/file/below", "/workspace/file/far/below", "/workspace/fifo/below", "/workspace/no/such/file",
		"/workspace/" + strings.Repeat("long", 64), "/tmp/no", "/etc/no", "/etc/os-release/no", "/no/such/directory",
	} {
		missing[p] = fs.ErrNotExist
		j.Collect = append(j.Collect, p)
	}
	res := runtest.OK(t, j)
	require.Equal(t, map[string]string{"/workspace/file": "there\n"}, texts(res))
	requireUncollected(t, res, missing)
}
