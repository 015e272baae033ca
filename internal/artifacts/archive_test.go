package artifacts

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// archiving is a collector that writes what it reads to w.
func archiving(w io.Writer) *collector {
	return &collector{left: 100, skip: 1000, names: minNames, archive: NewArchive(w, "/workspace")}
}

// An archive has names, content, and of the rest only what is harmless.
func TestArchive(t *testing.T) {
	var sent, got bytes.Buffer
	in := tar.NewWriter(&sent)
	long := "out/" + strings.Repeat("long/", 60) + "name"
	for name, h := range map[string]tar.Header{
		"out/plain":  {Mode: 0o600, ModTime: time.Unix(1234567890, 999)},
		"out/run":    {Mode: 0o6711, Uid: 7, Gid: 8, Uname: "me", ModTime: time.Unix(1<<40, 0)},
		long:         {Mode: 0o777, ModTime: time.Unix(-5, 0)},
		"out/\xff\n": {Mode: 0, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}},
	} {
		h.Name, h.Typeflag, h.Size = name, tar.TypeReg, int64(len(name)%7)
		require.NoError(t, in.WriteHeader(&h))
		_, err := io.WriteString(in, "content"[:h.Size])
		require.NoError(t, err)
	}
	require.NoError(t, in.Close())
	c := archiving(&got)
	require.NoError(t, c.tree("/workspace/out", &sent))
	require.NoError(t, c.archive.Close())
	require.Empty(t, c.files)
	require.Empty(t, c.missed)

	found := map[string]string{}
	out := archive.NewReader(&got)
	for {
		h, err := out.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		body, err := io.ReadAll(out)
		require.NoError(t, err)
		require.Equal(t, "content"[:len(h.Name)%7], string(body))
		require.EqualValues(t, tar.TypeReg, h.Typeflag)
		require.Zero(t, h.Uid+h.Gid+len(h.Uname)+len(h.Gname))
		for key := range h.PAXRecords {
			require.Equal(t, "path", key)
		}
		found[h.Name] = fmt.Sprintf("%o %d", h.Mode, h.ModTime.Unix())
	}
	require.Equal(t, map[string]string{"out/plain": "644 1234567890", "out/run": "755 0", long: "755 0", "out/\xff\n": "644 0"}, found)
}

// What is too large is left out as a whole, and hard links are asked for again.
func TestArchiveLeavesOut(t *testing.T) {
	var got bytes.Buffer
	c := archiving(&got)
	hard := func(name, of string) tarball.File {
		return tarball.File{Name: "out/" + name, Link: "out/" + of, Kind: tar.TypeLink}
	}
	require.NoError(t, c.tree("/workspace/out", bytes.NewReader(tarball.Of(file("large", 101), file("a", 60), hard("more", "a"), hard("of", "large"), file("b", 20), hard("c", "b")))))
	require.Equal(t, map[string]int64{"/workspace/out/a": 60, "/workspace/out/b": 20}, c.archive.sizes)
	require.Equal(t, [][2]string{{"/workspace/out/c", "/workspace/out/b"}}, c.archive.again)
	for _, name := range []string{"large", "more", "of"} {
		require.ErrorIs(t, c.missed["/workspace/out/"+name], ErrTooLarge, name)
	}
	require.Len(t, c.missed, 3)
}

func TestArchiveBoundsHardLinks(t *testing.T) {
	c := archiving(io.Discard)
	for range maxAgain {
		require.NoError(t, c.postpone("/workspace/b", "/workspace/a"))
	}
	require.ErrorIs(t, c.postpone("/workspace/b", "/workspace/a"), ErrTooLarge)
	require.Len(t, c.archive.again, maxAgain)
}

// The job decides what its files are called: Podman would take some names for patterns.
func TestArchiveAsksForNoPattern(t *testing.T) {
	c := archiving(io.Discard)
	c.staged = &Staged{}
	require.ErrorIs(t, c.postpone("/workspace/b", "/workspace/[id].js"), dockerx.ErrUnsupported)
	require.Empty(t, c.archive.again)
}

// A file is collected or not.
func TestArchivedFilesAreNotMissed(t *testing.T) {
	c := archiving(io.Discard)
	c.miss("/workspace/a", ErrTooLarge)
	require.NoError(t, c.read("/workspace/a", &tar.Header{Typeflag: tar.TypeReg}, strings.NewReader("")))
	require.Empty(t, c.missed)
}

// The caller's writer is called for large pieces, and not for nothing.
func TestArchiveInPieces(t *testing.T) {
	var sizes []int
	c := archiving(writerFunc(func(p []byte) (int, error) { sizes = append(sizes, len(p)); return len(p), nil }))
	for i := range 100 {
		require.NoError(t, c.read(fmt.Sprint("/workspace/", i), &tar.Header{Typeflag: tar.TypeReg}, strings.NewReader("")))
	}
	require.NoError(t, c.archive.Close())
	require.Equal(t, []int{Piece, 100*512 + archive.Trailer - Piece}, sizes)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Whatever a writer says, an archive that broke is an error and no file that is missing. So is
// a stream that ended early.
func TestArchiveThatBreaks(t *testing.T) {
	whole := tarball.Of(file("a", 60), file("b", 20))
	large := tarball.Of(file("a", 2*Piece))
	for name, c := range map[string]struct {
		sent []byte
		to   io.Writer
		want error
	}{
		"writer":           {whole, failing{fs.ErrNotExist}, fs.ErrNotExist},
		"writer, as if":    {whole, failing{ErrTooLarge}, ErrTooLarge},
		"in a large file":  {large, failing{ErrTooLarge}, ErrTooLarge},
		"stream in a file": {whole[:520], io.Discard, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			col := archiving(c.to)
			col.left = 1 << 20
			err := col.tree("/workspace/out", bytes.NewReader(c.sent))
			end := col.archive.Close()
			require.ErrorIs(t, cmp.Or(err, end), c.want)
			require.Error(t, end, "no end may be written")
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, errors.Join(f.err) }
