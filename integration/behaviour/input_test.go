//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// withInput is a script that starts in the directory of its input.
func withInput(script string, archive []byte) sandbox.Job {
	j := runtest.Shell(script)
	j.InputTar, j.WorkDir = bytes.NewReader(archive), sandbox.DefaultInputDir
	return j
}

// checkTree checks that all of the tree, its root included, belongs to the job and is
// writable, whatever the archive says, and that nothing has special bits.
const checkTree = `set -e
touch "$PWD/new"
find . -xdev | while IFS= read -r f; do
	[ "$(stat -c %u:%g "$f")" = 65532:65532 ] || echo "not ours: $f"
	[ -L "$f" ] || [ -w "$f" ] || echo "not writable: $f"
done
find . -perm /7000
find . -type d | while IFS= read -r d; do touch "$d/.new"; rm "$d/.new"; done
find . -type f | while IFS= read -r f; do echo more >>"$f"; done`

func TestInputIsWritable(t *testing.T) {
	t.Parallel()
	require.Empty(t, runtest.Output(t, withInput(checkTree, tarball.Of(
		tarball.File{Name: "./", Mode: 0o500},
		tarball.File{Name: "no/directory/entries/file", Body: "x"},
		tarball.File{Name: "readonly", Mode: 0o444}, tarball.File{Name: "closed/", Mode: 0o555}, tarball.File{Name: "closed/file", Mode: 0o400},
		tarball.File{Name: "nothing", Mode: 0o1}, tarball.File{Name: "empty/"},
		tarball.File{Name: "setuid", Mode: 0o4755}, tarball.File{Name: "setgid/", Mode: 0o2755}, tarball.File{Name: "sticky/", Mode: 0o1777},
		tarball.File{Name: "attributes", PAX: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}},
	))))
}

func TestInputKeepsWhatMatters(t *testing.T) {
	t.Parallel()
	j := withInput(`./run; cat soft dangling 2>&1; readlink dangling; readlink absolute; cat hard; echo more >>hard; cat first; ls -A empty`, tarball.Of(
		tarball.File{Name: "run", Body: "#!/bin/sh\necho ran\n", Mode: 0o755},
		tarball.File{Name: "dir/target", Body: "linked\n"}, tarball.File{Name: "soft", Kind: tar.TypeSymlink, Link: "dir/../dir/target"},
		tarball.File{Name: "dangling", Kind: tar.TypeSymlink, Link: "../../../../no/such/file"},
		tarball.File{Name: "absolute", Kind: tar.TypeSymlink, Link: "/etc/os-release"},
		tarball.File{Name: "first", Body: "one file\n"}, tarball.File{Name: "hard", Kind: tar.TypeLink, Link: "first", Mode: 0o444},
		tarball.File{Name: "empty/"},
	))
	require.Equal(t, "ran\nlinked\ncat: can't open 'dangling': No such file or directory\n"+
		"../../../../no/such/file\n/etc/os-release\none file\none file\nmore\n", runtest.Output(t, j))
}

// oddNames are names that could confuse tar, engines or shells. At the beginning of an
// archive the last two look like compressed data.
var oddNames = []string{
	"with space", `quotes'"`, "$(touch executed)", "`touch executed`", "-rf", "newline\nin it", "tab\t", "ünïcödé", "\xff\xfe",
	`back\slash`, "*", "a:b", strings.Repeat("long", 40), strings.Repeat("deep/", 60) + "file", "BZh1", "P*M\x18",
}

// collectable are the names that an engine sends: Podman takes some for patterns.
func collectable(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return enginetest.Podman() && strings.ContainsAny(name, `*?[\`)
	})
}

func TestInputNames(t *testing.T) {
	t.Parallel()
	var files []tarball.File
	names := collectable(oddNames)
	for i, name := range names {
		files = append(files, tarball.File{Name: name, Body: fmt.Sprint(i)})
	}
	j := withInput("ls -d executed 2>/dev/null", tarball.Of(files...))
	j.Collect = []string{"/workspace"}
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs), "a name was executed")
	for i, name := range names {
		require.Equal(t, fmt.Sprint(i), string(res.Artifacts["/workspace/"+name]), "%q", name)
	}
}

func TestInputOfOneOddName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"BZh1", "P*M\x18", "BZh1/file", "\x1f\x8b"} {
		require.Equal(t, "content", runtest.Output(t, withInput(`find . -type f -exec cat {} \;`, tarball.Of(tarball.File{Name: name, Body: "content"}))))
	}
}

func TestInputDir(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{
		"/work", "/srv/a/deep/dir", "/tmp/src", "/tmp", "/workspace/below", "/work/", `/a b/'c'"/$(touch x)`, "/home/sandbox/src",
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell(checkTree + "\ncat file; cd /tmp; touch x; cd /workspace; touch x; touch $HOME/x; pwd; cat \"$IN/d/below\"; rm \"$IN/file\"")
			j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "file", Body: "content\n"}, tarball.File{Name: "d/below", Body: "more\n"}))
			j.InputDir, j.WorkDir, j.Env = dir, dir, map[string]string{"IN": dir}
			if enginetest.Podman() && strings.Contains(dir, `"`) {
				refused(t, j, sandbox.OpValidate, "a quotation mark")
				return
			}
			require.Contains(t, runtest.Output(t, j), "content\nmore\n/workspace\nmore\n")
		})
	}
}

func TestInputWorkDirBelow(t *testing.T) {
	t.Parallel()
	j := withInput("pwd; cat file; touch new", tarball.Of(tarball.File{Name: "a/b/file", Body: "here\n"}))
	j.WorkDir = "/workspace/a/b"
	require.Equal(t, "/workspace/a/b\nhere\n", runtest.Output(t, j))
}

// Nothing of the image runs to unpack the input: it needs neither a shell nor a command.
func TestInputNeedsNoShell(t *testing.T) {
	t.Parallel()
	j := sandbox.Job{
		Image: enginetest.Scratch(), Cmd: []string{"/probe", "cat", "/workspace/a/file"}, Limits: sandbox.Limits{Network: "none"},
		InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "a/file", Body: "content"})),
	}
	require.Equal(t, "content", runtest.Output(t, j))
}

// The archive comes through a pipe from a running git archive and begins with a global
// header.
func TestInputOfGitArchive(t *testing.T) {
	t.Parallel()
	git := exec.Command("git", "archive", "HEAD")
	git.Dir = enginetest.GitRepository(t, map[string]string{"run.sh": "#!/bin/sh\necho ran\n", "a/b": "content\n"})
	archive, err := git.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, git.Start())
	j := runtest.Shell("./run.sh; cat a/b; ls -A; " + checkTree)
	j.InputTar, j.WorkDir = archive, sandbox.DefaultInputDir
	require.Equal(t, "ran\ncontent\na\nrun.sh\n", runtest.Output(t, j))
	require.NoError(t, git.Wait())
}

// The input is streamed. This test measures memory, so nothing runs beside it.
func TestInputIsStreamed(t *testing.T) {
	enginetest.Busybox()
	const size = 256 << 20
	body, out := io.Pipe()
	go func() {
		w := tar.NewWriter(out)
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: size})
		block := make([]byte, 1<<16)
		for n := 0; n < size && err == nil; n += len(block) {
			_, err = w.Write(block)
		}
		if err == nil {
			err = w.Close()
		}
		out.CloseWithError(err)
	}()
	j := runtest.Shell("stat -c %s /workspace/big")
	j.InputTar = body
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Equal(t, fmt.Sprintln(size), runtest.Output(t, j))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "bytes allocated for an input of 256 MiB")
}
