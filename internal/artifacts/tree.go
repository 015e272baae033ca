package artifacts

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// directory reads the regular files below p.
func (c *collector) directory(ctx context.Context, p string) error {
	for _, dir := range append([]string{p}, c.staged.inside(p)...) {
		c.hidden = c.staged.inside(dir)
		err := c.oneDirectory(ctx, dir)
		if err == nil || c.missing(err, ErrTooLarge) {
			err = cmp.Or(c.again(ctx), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) oneDirectory(ctx context.Context, p string) error {
	body, err := c.download(ctx, p)
	if err != nil {
		return err
	}
	defer body.Close()
	return c.tree(p, body)
}

// tree reads the engine's tar of the directory p.
func (c *collector) tree(p string, body io.Reader) error {
	in, bare := archive.NewReader(body), false
	_, at := c.at(p)
	c.front = path.Base(at)
	for first := true; ; first = false {
		h, err := next(in)
		if err == io.EOF {
			return nil
		}
		if err == nil && first {
			bare, err = c.named(p, h.Name)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
		if bare {
			h.Name, h.Linkname = path.Join(c.front, h.Name), path.Join(c.front, h.Linkname)
		}
		if err := c.treeEntry(p, h, in); err != nil {
			return err
		}
	}
}

// treeEntry keeps, or skips, one entry of the tar of the directory p.
func (c *collector) treeEntry(p string, h *tar.Header, in io.Reader) error {
	if c.count++; c.count > MaxEntries {
		return fmt.Errorf("%q: only partly read: %w: more than %d files, directories and links in all of Collect", p, ErrTooLarge, MaxEntries)
	}
	file, err := c.below(p, h.Name)
	if err != nil {
		return err
	}
	if c.names <= 0 {
		return fmt.Errorf("%q: only partly read: %w: too many bytes of file names", p, ErrTooLarge)
	}
	if slices.ContainsFunc(c.hidden, func(dir string) bool { return validate.Within(file, dir) }) {
		return c.skipContent(p, file, h.Size)
	}
	if err := c.entry(p, file, h, in); err != nil {
		c.miss(file, err)
		if !c.missing(err, ErrTooLarge, ErrNotRegular) {
			return err
		}
		return c.skipContent(p, file, h.Size)
	}
	return nil
}

// entry keeps one entry of the tar of dir.
func (c *collector) entry(dir, p string, h *tar.Header, body io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
		return c.read(p, h, body)
	case tar.TypeLink:
		return c.link(dir, p, h)
	}
	return fmt.Errorf("%q: %w", p, ErrNotRegular)
}

// skipContent tells whether the content of p, which is size bytes long, may be skipped:
// the engine sends all of it before the next entry.
func (c *collector) skipContent(dir, p string, size int64) error {
	if size > c.skip {
		return fmt.Errorf("%q: only partly read: %w: %q has %d bytes to be skipped, but only %d may be", dir, ErrTooLarge, p, size, c.skip)
	}
	c.skip -= size
	return nil
}

// link gives a hard link below dir the content of the name that came first.
func (c *collector) link(dir, p string, h *tar.Header) error {
	first, err := c.below(dir, h.Linkname)
	if err != nil {
		return err
	}
	if _, have := c.has(p); have {
		return nil
	}
	size, have := c.has(first)
	switch {
	case !have && errors.Is(c.missed[first], ErrTooLarge):
		return fmt.Errorf("%q: hard link to %q, which was not collected: %w", p, first, ErrTooLarge)
	case !have:
		return fmt.Errorf("%q: hard link to %q, which was not collected: %w", p, first, ErrNotRegular)
	case size > c.left:
		return c.tooLarge(p, size)
	case c.archive != nil:
		return c.postpone(p, first)
	}
	c.keep(p, slices.Clone(c.files[first]))
	return nil
}

// next is the header of the next entry. The job decides how long a header is: Podman also
// sends the extended attributes of a file.
func next(in *archive.Reader) (*tar.Header, error) {
	h, err := in.Next()
	if errors.Is(err, tar.ErrFieldTooLong) {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return h, err
}

// below turns the name of an entry of the tar of dir into a path. The engine puts the last
// component of where dir is in front of every name. If the job made dir a link to what Podman takes
// for a pattern, Podman sends whatever matches.
func (c *collector) below(dir, name string) (string, error) {
	base, rest, _ := strings.Cut(strings.TrimSuffix(name, "/"), "/")
	if base == c.front && path.Clean("/"+rest) == "/"+rest {
		return path.Join(dir, rest), nil
	}
	err := fmt.Errorf("%q: the engine sent an entry from outside it: %q", dir, name)
	if c.staged != nil {
		err = fmt.Errorf("%w: %w", ErrNotRegular, err)
	}
	return "", err
}
