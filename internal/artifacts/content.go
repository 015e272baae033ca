package artifacts

import (
	"archive/tar"
	"fmt"
	"io"
)

// read keeps the content of the tar's current entry.
func (c *collector) read(p string, h *tar.Header, body io.Reader) error {
	if _, have := c.has(p); have {
		return nil
	}
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%q: %w", p, ErrNotRegular)
	}
	if h.Size > c.left {
		return c.tooLarge(p, h.Size)
	}
	if c.archive != nil {
		if err := c.archive.add(p, h, body); err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
		c.charge(p, h.Size)
		return nil
	}
	content, err := readContent(body, h.Size)
	if err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	c.keep(p, content)
	return nil
}

func (c *collector) tooLarge(p string, size int64) error {
	return fmt.Errorf("%q: %w: %d bytes, but only %d are left of Limits.ArtifactBytes", p, ErrTooLarge, size, c.left)
}

// firstRead is the memory for a file's content, in bytes, before any of it has come.
const firstRead = 1 << 20

// readContent reads size bytes. A file can claim any size: memory grows with what comes,
// fourfold, so that little is copied.
func readContent(r io.Reader, size int64) ([]byte, error) {
	content := make([]byte, min(size, firstRead))
	for read := 0; ; {
		n, err := io.ReadFull(r, content[read:])
		read += n
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil || int64(read) == size {
			return content, err
		}
		larger := make([]byte, min(size, 4*int64(read)))
		copy(larger, content)
		content = larger
	}
}
