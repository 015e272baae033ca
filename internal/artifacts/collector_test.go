package artifacts

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// claiming is the start of a tar with one file that claims to be of some size, and
// content of another.
func claiming(t *testing.T, size int64, content io.Reader) io.Reader {
	t.Helper()
	var header bytes.Buffer
	require.NoError(t, tar.NewWriter(&header).WriteHeader(&tar.Header{Name: "out/sparse", Typeflag: tar.TypeReg, Size: size, Mode: 0o644}))
	return io.MultiReader(&header, content)
}

// allocated is what f allocates, in bytes, whether or not it is freed.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A job makes a sparse file of a terabyte in a moment. The caller's cap may be higher
// than its memory: only what comes costs memory.
func TestMemoryIsForWhatComes(t *testing.T) {
	for size, sent := range map[int64]int64{1 << 40: 100, 1 << 62: 10_000_000} {
		c := &collector{left: 1 << 62, names: minNames}
		var err error
		got := allocated(func() { err = c.tree("/workspace/out", claiming(t, size, io.LimitReader(zeros{}, sent))) })
		require.ErrorContains(t, err, "/workspace/out/sparse")
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Empty(t, c.files)
		require.Less(t, got, 5*sent+firstRead+(1<<20))
	}
}

// What a job can put into a header does not fail the run.
func TestRecordsOfTheJob(t *testing.T) {
	const size = 2 << 20
	header, err := io.ReadAll(claiming(t, size, strings.NewReader("")))
	require.NoError(t, err)
	copy(header[148:], "        x") // the check sum, of spaces for now, and the type
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	c := &collector{left: 1 << 20, names: minNames}
	err = c.tree("/workspace/out", io.MultiReader(bytes.NewReader(header), io.LimitReader(zeros{}, size+1024)))
	require.ErrorIs(t, err, tar.ErrFieldTooLong)
	require.ErrorIs(t, err, ErrTooLarge)
}

// What is kept is no larger than the file, and reading it costs no more than four
// thirds of that beside it.
func TestMemoryOfAFile(t *testing.T) {
	for _, size := range []int64{1, firstRead - 1, firstRead, firstRead + 1, 5*firstRead + 3, 100_000_000} {
		body := bytes.Repeat([]byte("0123456789"), int(size/10)+1)[:size]
		var content []byte
		var err error
		got := allocated(func() { content, err = readContent(bytes.NewReader(body), size) })
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, content))
		require.Len(t, content, cap(content))
		require.LessOrEqual(t, got, size+4*size/3+firstRead+64<<10)
	}
}

func file(name string, size int) tarball.File {
	return tarball.File{Name: "out/" + name, Body: strings.Repeat("x", size)}
}

// What does not fit does not hide what comes after it, as long as no more is skipped
// than may be.
func TestTooLargeFilesAreSkipped(t *testing.T) {
	hard := tarball.File{Name: "out/hard", Link: "out/large", Kind: tar.TypeLink}
	for name, c := range map[string]struct {
		sent    []tarball.File
		files   string // of out, those that are collected
		large   string // those that are too large
		partial bool   // the directory is read in part
	}{
		"first":                    {[]tarball.File{file("large", 101), file("a", 50), file("b", 50)}, "a b", "large", false},
		"last":                     {[]tarball.File{file("a", 50), file("large", 101)}, "a", "large", false},
		"several":                  {[]tarball.File{file("a", 60), file("large", 50), file("b", 40), file("c", 1), file("d", 0)}, "a b d", "large c", false},
		"all that may be skipped":  {[]tarball.File{file("large", 500), file("b", 500), file("a", 1)}, "a", "large b", false},
		"more in one":              {[]tarball.File{file("a", 1), file("large", 1001), file("b", 1)}, "a", "large", true},
		"more in two":              {[]tarball.File{file("large", 500), file("b", 501), file("a", 1)}, "", "large b", true},
		"hard link to a large one": {[]tarball.File{file("large", 101), hard, file("a", 1)}, "a", "large hard", false},
	} {
		t.Run(name, func(t *testing.T) {
			col := &collector{left: 100, skip: 1000, names: minNames}
			sent := append([]tarball.File{{Name: "out/"}}, c.sent...)
			err := col.tree("/workspace/out", bytes.NewReader(tarball.Of(sent...)))
			require.Equal(t, c.partial, err != nil, "%v", err)
			if c.partial {
				require.ErrorIs(t, err, ErrTooLarge)
				require.ErrorContains(t, err, `"/workspace/out": only partly read`)
			}
			require.Len(t, col.files, len(strings.Fields(c.files)))
			for _, f := range strings.Fields(c.files) {
				require.Contains(t, col.files, "/workspace/out/"+f)
			}
			require.Len(t, col.missed, len(strings.Fields(c.large)))
			for _, f := range strings.Fields(c.large) {
				require.ErrorIs(t, col.missed["/workspace/out/"+f], ErrTooLarge, f)
			}
		})
	}
}

// Not even what is no file may be skipped without end.
func TestSkippedEntriesOfOtherKinds(t *testing.T) {
	var sent bytes.Buffer
	w := tar.NewWriter(&sent)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "out/odd", Typeflag: 'Z', Size: 2000}))
	_, err := w.Write(make([]byte, 2000))
	require.NoError(t, errors.Join(err, w.Close()))
	col := &collector{left: 100, skip: 1000, names: minNames}
	err = col.tree("/workspace/out", &sent)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorIs(t, col.missed["/workspace/out/odd"], ErrNotRegular, fmt.Sprint(err))
}
