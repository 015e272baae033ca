package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const block = 512

// Trailer is the length of a tar's end, in zero bytes.
const Trailer = 2 * block

// maxPadding bounds what is read after a tar's end. GNU tar fills its last record,
// which has 10 KiB by default, with zeros.
const maxPadding = 1 << 20

// Reader is a tar.Reader that also tells a complete archive from one that
// was cut between two entries. archive/tar takes both for the end.
type Reader struct {
	*tar.Reader
	src *tailReader
	any bool // an entry was read
}

// NewReader returns a Reader of an uncompressed tar archive.
func NewReader(r io.Reader) *Reader {
	src := &tailReader{r: r}
	return &Reader{Reader: tar.NewReader(src), src: src}
}

// Next returns io.EOF only at a complete archive's end.
func (t *Reader) Next() (*tar.Header, error) {
	// What is left of the last entry must not be taken for the trailer.
	if _, err := io.Copy(io.Discard, t.Reader); t.any && err != nil {
		return nil, cutShort(err)
	}
	t.src.zeros = 0
	h, err := t.Reader.Next()
	switch {
	case err == nil && sparse(h):
		return nil, fmt.Errorf("entry %q: sparse files are refused; create the archive without --sparse", h.Name)
	case err == nil:
		t.any = true
		return h, nil
	case err == io.EOF && t.src.zeros >= Trailer:
		// The writer of a pipe must not be left with the padding.
		if _, err := io.CopyN(io.Discard, t.src, maxPadding); err != nil && err != io.EOF {
			return nil, err
		}
		return nil, io.EOF
	case err == io.EOF && len(t.src.first) == 0:
		return nil, errors.New("no data; even an empty tar archive has a trailer")
	case err == io.EOF:
		return nil, errors.New("truncated: the trailer is missing")
	case !t.any && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) && t.src.read < block):
		return nil, t.src.noTar(err)
	}
	return nil, cutShort(err)
}

// sparse reports whether a few bytes of the archive can stand for any amount of
// content: on the engine's disk, or in the time that it takes to skip the entry.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated: %w", err)
	}
	return err
}

// tailReader remembers the first bytes that were read, how many there were, and
// how many of the last were zeros.
type tailReader struct {
	r     io.Reader
	first []byte
	zeros int
	read  int64
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.read += int64(n)
	if room := 8 - len(t.first); room > 0 {
		t.first = append(t.first, p[:min(n, room)]...)
	}
	if tail := len(p[:n]) - len(bytes.TrimRight(p[:n], "\x00")); tail < n {
		t.zeros = tail
	} else {
		t.zeros += n
	}
	return n, err
}

// noTar says what the input is instead, if its first bytes tell.
func (t *tailReader) noTar(err error) error {
	for _, c := range []struct{ magic, name string }{
		{"\x1f\x8b", "gzip"}, {"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"}, {"\x28\xb5\x2f\xfd", "zstd"},
	} {
		if bytes.HasPrefix(t.first, []byte(c.magic)) {
			return fmt.Errorf("compressed with %s; decompress it first", c.name)
		}
	}
	return fmt.Errorf("not a tar archive: %w", err)
}
