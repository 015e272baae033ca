package archive

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// readAll reads a tar to its end.
func readAll(r io.Reader) (names []string, err error) {
	in := NewReader(r)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return names, err
		}
		names = append(names, h.Name)
	}
}

func TestReaderTakesCompleteArchives(t *testing.T) {
	for name, archive := range map[string][]byte{
		"empty tree":     tarball.Of(),
		"zeros":          tarball.Of(tarball.File{Name: "a", Body: string(make([]byte, 4096))}),
		"padded by tar":  append(tarball.Of(tarball.File{Name: "a", Body: "x"}), make([]byte, 8192)...),
		"trailing bytes": append(tarball.Of(tarball.File{Name: "a", Body: "x"}), "not a tar"...),
	} {
		_, err := readAll(bytes.NewReader(archive))
		require.NoError(t, err, name)
		_, err = readAll(iotest.HalfReader(bytes.NewReader(archive)))
		require.NoError(t, err, name)
	}
}

// Wherever an archive is cut, it is seen: archive/tar alone takes an end at an
// entry's border for the archive's.
func TestReaderSeesEveryCut(t *testing.T) {
	for _, body := range []string{"text", "", string(make([]byte, 4096)), string(make([]byte, 100))} {
		archive := tarball.Of(tarball.File{Name: "a", Body: body}, tarball.File{Name: "dir/"}, tarball.File{Name: "b", Body: body})
		for n := range len(archive) {
			_, err := readAll(bytes.NewReader(archive[:n]))
			require.Error(t, err, "cut after %d of %d bytes", n, len(archive))
		}
	}
}

func TestReaderSaysWhatItIsInstead(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write(tarball.Of(tarball.File{Name: "a"}))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	pad := func(s string) []byte { return append([]byte(s), bytes.Repeat([]byte("x"), 2048)...) }
	for want, input := range map[string][]byte{
		"compressed with gzip; decompress it first": pad(zipped.String()),
		"compressed with bzip2":                     pad("BZh91AY&SY"),
		"compressed with xz":                        pad("\xfd7zXZ\x00"),
		"compressed with zstd":                      pad("\x28\xb5\x2f\xfd"),
		"not a tar archive":                         pad("hello"),
		"no data; ":                                 nil,
		"truncated: unexpected EOF":                 tarball.Of(tarball.File{Name: "a"})[:700],
	} {
		_, err := readAll(bytes.NewReader(input))
		require.ErrorContains(t, err, want)
	}
}

// Less than a block is neither an archive that was cut nor, most likely, one at
// all.
func TestReaderOfLessThanABlock(t *testing.T) {
	for input, want := range map[string]string{
		"\x1f\x8b\x08\x00": "compressed with gzip; decompress it first",
		"BZh9\x17rE8P\x90": "compressed with bzip2",
		"hello\n":          "not a tar archive",
	} {
		_, err := readAll(strings.NewReader(input))
		require.ErrorContains(t, err, want)
	}
}

// Padding may follow the trailer; whoever writes it into a pipe must not be left
// with it.
func TestReaderReadsToTheEnd(t *testing.T) {
	input := bytes.NewReader(append(tarball.Of(tarball.File{Name: "a", Body: "x"}), make([]byte, 8192)...))
	_, err := readAll(iotest.OneByteReader(input))
	require.NoError(t, err)
	require.Zero(t, input.Len(), "bytes not read")
}

// What follows the trailer without end is read to a bound.
func TestReaderOfZerosWithoutEnd(t *testing.T) {
	for name, archive := range map[string][]byte{"empty tree": nil, "a file": tarball.Of(tarball.File{Name: "a", Body: "x"})} {
		endless := &zeros{}
		_, err := readAll(io.MultiReader(bytes.NewReader(archive), endless))
		require.NoError(t, err, name)
		require.LessOrEqual(t, endless.read, 2*maxPadding, name)
	}
	_, err := readAll(io.MultiReader(bytes.NewReader(tarball.Of()), iotest.ErrReader(io.ErrNoProgress)))
	require.ErrorIs(t, err, io.ErrNoProgress, "it is not known what would have come")
}

// zeros is a reader without end, up to a point that no test may reach.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.read > 1<<30 {
		return 0, io.ErrShortBuffer
	}
	clear(p)
	z.read += len(p)
	return len(p), nil
}
