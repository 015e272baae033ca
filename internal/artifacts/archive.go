package artifacts

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// maxAgain bounds the hard links whose content is asked for again: an archive has no links,
// and what was written is not kept. Each of them is a request.
const maxAgain = 100

// Piece is how many bytes are written at once, but at the end.
const Piece = 32 << 10

// Archive writes artifacts as a tar of regular files, as they come.
type Archive struct {
	out   *tar.Writer
	whole *bufio.Writer    // behind it: the caller gets large pieces
	top   string           // of the names
	sizes map[string]int64 // of what was written, by path
	again [][2]string      // hard links, and the names that came first
	asked int              // of these, in all
	broke bool             // a file was written in part
}

// NewArchive returns an Archive of files below top.
func NewArchive(w io.Writer, top string) *Archive {
	whole := bufio.NewWriterSize(w, Piece)
	return &Archive{out: tar.NewWriter(whole), whole: whole, top: strings.TrimSuffix(top, "/") + "/", sizes: map[string]int64{}}
}

// Close writes the archive's end, which tells that all of it is there.
func (a *Archive) Close() error {
	if err := a.out.Close(); err != nil {
		return err
	}
	return a.whole.Flush()
}

// Files is how many files were written.
func (a *Archive) Files() int { return len(a.sizes) }

// add writes a file. Of its header it believes nothing but the size, the time and who may
// execute it.
func (a *Archive) add(p string, h *tar.Header, body io.Reader) error {
	mode := int64(0o644)
	if h.Mode&0o100 != 0 {
		mode = 0o755
	}
	modified := h.ModTime.Truncate(time.Second)
	if sec := modified.Unix(); sec < 0 || sec > math.MaxInt32 {
		modified = time.Unix(0, 0) // the job decides; not every tar can read what is beyond that
	}
	name := strings.TrimPrefix(p, a.top)
	a.broke = true
	if err := a.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: h.Size, Mode: mode, ModTime: modified}); err != nil {
		return err
	}
	if n, err := io.Copy(a.out, body); err != nil {
		return err
	} else if n < h.Size {
		return io.ErrUnexpectedEOF
	}
	a.broke = false
	a.sizes[p] = h.Size
	return nil
}

// postpone notes a hard link, whose content is to be asked for again.
func (c *collector) postpone(p, first string) error {
	if err := c.askable(first); err != nil {
		return fmt.Errorf("%q: hard link to %q, which cannot be asked for again: %w: %w", p, first, ErrNotRegular, err)
	}
	a := c.archive
	if a.asked++; a.asked > maxAgain {
		return fmt.Errorf("%q: hard link to %q: %w: OutputTar has the content of %d hard links at most", p, first, ErrTooLarge, maxAgain)
	}
	a.again = append(a.again, [2]string{p, first})
	return nil
}

// again reads the hard links that were postponed. The engine holds the container's lock while it
// sends a directory.
func (c *collector) again(ctx context.Context) error {
	if c.archive == nil {
		return nil
	}
	links := c.archive.again
	c.archive.again = nil
	for _, l := range links {
		err := c.content(ctx, l[0], l[1])
		if errdefs.IsNotFound(err) {
			err = fmt.Errorf("%q: %w", l[0], fs.ErrNotExist)
		}
		if c.missing(err, fs.ErrNotExist, ErrNotRegular, ErrTooLarge, dockerx.ErrUnsupported) {
			c.miss(l[0], err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
