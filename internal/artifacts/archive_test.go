package artifacts

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/archive"
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
	a := NewArchive(io.Discard, "/workspace")
	for range maxAgain {
		require.NoError(t, a.postpone("/workspace/b", "/workspace/a"))
	}
	require.ErrorIs(t, a.postpone("/workspace/b", "/workspace/a"), ErrTooLarge)
	require.Len(t, a.again, maxAgain)
}

// Whatever a writer says, an archive that broke is an error and no file that is missing. So is
// a stream that ended early.
func TestArchiveThatBreaks(t *testing.T) {
	whole := tarball.Of(file("a", 60), file("b", 20))
	for name, c := range map[string]struct {
		sent []byte
		to   io.Writer
		want error
	}{
		"writer":           {whole, failing{fs.ErrNotExist}, fs.ErrNotExist},
		"writer, as if":    {whole, failing{ErrTooLarge}, ErrTooLarge},
		"stream in a file": {whole[:520], io.Discard, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			col := archiving(c.to)
			err := col.tree("/workspace/out", bytes.NewReader(c.sent))
			require.ErrorIs(t, err, c.want)
			require.False(t, col.missing(err, c.want))
			require.Error(t, col.archive.Close(), "no end may be written")
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, errors.Join(f.err) }
