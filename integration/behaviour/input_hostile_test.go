//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// gnuTar returns the output of GNU tar.
func gnuTar(t testing.TB, args ...string) []byte {
	t.Helper()
	archive, err := exec.Command("tar", args...).Output()
	require.NoError(t, err, "this test needs GNU tar")
	return archive
}

// Archives of GNU tar have names that begin with "./", long names in the form of each
// format, hard links, and padding after the trailer.
func TestInputOfGNUTar(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("long", 30)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, long, "empty"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, long, "run"), []byte("#!/bin/sh\necho ran\n"), 0o755))
	require.NoError(t, os.Link(filepath.Join(dir, long, "run"), filepath.Join(dir, "hard")))
	require.NoError(t, os.Symlink("hard", filepath.Join(dir, "soft")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "private"), nil, 0o400))
	for _, format := range []string{"gnu", "pax"} {
		archive := gnuTar(t, "--format="+format, "-C", dir, "-c", ".")
		script := "./hard; ./soft; ./long*/run; ls -A; ls long*; " + checkTree
		require.Equal(t, "ran\nran\nran\nhard\n"+long+"\nprivate\nsoft\nempty\nrun\n", runtest.Output(t, withInput(script, archive)), format)
	}
}

// GNU tar stores a file that is named twice as a hard link to itself.
func TestInputOfGNUTarWithAFileTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content\n"), 0o644))
	archive := gnuTar(t, "-C", dir, "-c", "file", "file")
	require.Equal(t, "content\n", runtest.Output(t, withInput("cat file", archive)))
}

// The padding after the trailer is read too, so that a writer at the other end of a
// pipe can finish.
func TestInputIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	archive := append(tarball.Of(tarball.File{Name: "file", Body: "content\n"}), make([]byte, 10<<10)...)
	input, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		_, err := out.Write(archive)
		out.Close()
		written <- err
	}()
	j := runtest.Shell("cat /workspace/file")
	j.InputTar = input
	require.Equal(t, "content\n", runtest.Output(t, j))
	input.Close() // ends a Write that is not over yet
	require.NoError(t, <-written)
}

// An archive may have an entry more than once: the last one counts.
func TestInputLastEntryCounts(t *testing.T) {
	t.Parallel()
	require.Equal(t, "new\nfirst\n/etc/os-release\nbeside\nfile\n700\n", runtest.Output(t, withInput("cat file kept; readlink link; ls dir; stat -c %a dir", tarball.Of(
		tarball.File{Name: "file", Body: "old and longer\n"}, tarball.File{Name: "kept", Body: "first\n"}, tarball.File{Name: "dir/file"}, tarball.File{Name: "dir/beside"},
		tarball.File{Name: "link", Kind: tar.TypeSymlink, Link: "file"}, tarball.File{Name: "link", Kind: tar.TypeSymlink, Link: "/etc/os-release"},
		tarball.File{Name: "hard", Kind: tar.TypeLink, Link: "kept"}, tarball.File{Name: "hard", Body: "another file"},
		tarball.File{Name: "file", Body: "new\n"}, tarball.File{Name: "dir/", Mode: 0o700},
	))))
}

// Names that have a meaning in the layers of images.
func TestInputOfWhiteouts(t *testing.T) {
	t.Parallel()
	require.Equal(t, ".wh..wh..opq\n.wh..wh.plnk\n.wh.file\nfile\n", runtest.Output(t, withInput("ls -A", tarball.Of(
		tarball.File{Name: "file"}, tarball.File{Name: ".wh.file"}, tarball.File{Name: ".wh..wh..opq"}, tarball.File{Name: ".wh..wh.plnk"}))))
}

// A small tree is less than a block when it is compressed, and still the error says
// what is wrong.
func TestInputThatIsNoTar(t *testing.T) {
	for _, size := range []int{100, 100000} {
		for name, magic := range map[string]string{"gzip": "\x1f\x8b\x08", "bzip2": "BZh9", "xz": "\xfd7zXZ\x00", "zstd": "\x28\xb5\x2f\xfd"} {
			err := refusedInput(t, strings.NewReader(magic+strings.Repeat("x", size)))
			require.EqualError(t, err, "sandbox: stage: InputTar: compressed with "+name+"; decompress it first")
		}
		err := refusedInput(t, strings.NewReader(strings.Repeat("text ", size/5)))
		require.ErrorContains(t, err, "sandbox: stage: InputTar: not a tar archive")
	}
}

// The engine's protocol is text. Such a name would be changed on its way, and the
// input would be unpacked somewhere else.
func TestInputDirThatIsNotText(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("echo ran")
	j.InputDir, j.InputTar = "/work/\xff", bytes.NewReader(tarball.Of(tarball.File{Name: "file"}))
	refused(t, j, sandbox.OpValidate, `InputDir "/work/\xff"`)
}

// The input stalls while the engine reads a file.
func TestInputReaderThatHangsInAFile(t *testing.T) {
	enginetest.Busybox()
	enginetest.CheckGoroutines(t)
	whole := tarball.Of(tarball.File{Name: "a", Body: strings.Repeat("x", 1<<20)})
	input, out := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		out.Write(whole[:len(whole)/2])
		cancel()
	}()
	j := runtest.Shell("echo ran")
	j.InputTar = input
	res, err := runtest.DoContext(t, ctx, j)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, -1, res.ExitCode)
	require.Nil(t, res.Logs)
}
