package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// lookup asks the engine about every component of p, since the engine follows links
// among the parents. It does not ask about the run's own mount points and what is
// above them, which the job cannot change, unless they are inside another such
// directory, where the job can move things.
func (c *collector) lookup(ctx context.Context, p string) (dockerx.FileInfo, error) {
	if info, ok := c.seen[p]; ok {
		return info, nil
	}
	above := slices.ContainsFunc(c.own, func(dir string) bool { return validate.Within(dir, p) })
	below := slices.ContainsFunc(c.own, func(dir string) bool { return validate.Within(p, dir) && p != dir })
	if above && !below {
		return dockerx.FileInfo{Mode: fs.ModeDir}, nil
	}
	if parent := path.Dir(p); parent != "/" {
		info, err := c.lookup(ctx, parent)
		switch {
		case err != nil:
			return dockerx.FileInfo{}, err
		case info.Mode&fs.ModeSymlink != 0:
			return dockerx.FileInfo{}, fmt.Errorf("%q is below the symbolic link %q: %w", p, parent, ErrNotRegular)
		case !info.Mode.IsDir():
			return dockerx.FileInfo{}, fmt.Errorf("%q is below a file: %w", p, fs.ErrNotExist)
		}
	}
	info, err := c.stat(ctx, p)
	if err == nil {
		c.seen[p] = info
	}
	return info, err
}

// stat asks about p, whose parent is a directory. If the engine cannot resolve a
// link, such as one that leads to itself, it reports an internal error.
func (c *collector) stat(ctx context.Context, p string) (dockerx.FileInfo, error) {
	if len(path.Base(p)) > archive.MaxName {
		return dockerx.FileInfo{}, fmt.Errorf("%q: the file name is too long: %w", p, fs.ErrNotExist)
	}
	container, at := c.at(p)
	info, err := c.client.Stat(ctx, container, at)
	if errdefs.IsInternal(err) {
		info, err = c.client.Stat(ctx, container, at)
	}
	if errors.Is(err, fs.ErrNotExist) && at != p {
		err = fmt.Errorf("%q: %w", p, fs.ErrNotExist)
	}
	if errdefs.IsInternal(err) {
		if _, parent := c.client.Stat(ctx, container, path.Dir(at)); parent == nil {
			err = fmt.Errorf("%q: the engine cannot resolve it: %w", p, ErrNotRegular)
		}
	}
	return info, err
}
