package artifacts

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/validate"
)

type fileInfo struct {
	mode fs.FileMode
	size int64
}

// lookup asks the engine about every component of p, since the engine follows links
// among the parents. It does not ask about the run's own mount points and what is
// above them, which the job cannot change, unless they are inside another such
// directory, where the job can move things.
func (c *collector) lookup(ctx context.Context, p string) (fileInfo, error) {
	if info, ok := c.seen[p]; ok {
		return info, nil
	}
	above := slices.ContainsFunc(c.own, func(dir string) bool { return validate.Within(dir, p) })
	below := slices.ContainsFunc(c.own, func(dir string) bool { return validate.Within(p, dir) && p != dir })
	if above && !below {
		return fileInfo{mode: fs.ModeDir}, nil
	}
	if parent := path.Dir(p); parent != "/" {
		info, err := c.lookup(ctx, parent)
		switch {
		case err != nil:
			return fileInfo{}, err
		case info.mode&fs.ModeSymlink != 0:
			return fileInfo{}, fmt.Errorf("%q is below the symbolic link %q: %w", p, parent, ErrNotRegular)
		case !info.mode.IsDir():
			return fileInfo{}, fmt.Errorf("%q is below a file: %w", p, fs.ErrNotExist)
		}
	}
	mode, size, err := c.stat(ctx, p)
	if err != nil {
		return fileInfo{}, err
	}
	c.seen[p] = fileInfo{mode, size}
	return c.seen[p], nil
}

// stat asks about p, whose parent is a directory. If the engine cannot resolve a
// link, such as one that leads to itself, it reports an internal error.
func (c *collector) stat(ctx context.Context, p string) (fs.FileMode, int64, error) {
	if len(path.Base(p)) > archive.MaxName {
		return 0, 0, fmt.Errorf("%q: the file name is too long: %w", p, fs.ErrNotExist)
	}
	mode, size, err := c.client.Stat(ctx, c.container, p)
	if errdefs.IsInternal(err) {
		mode, size, err = c.client.Stat(ctx, c.container, p)
	}
	if errdefs.IsInternal(err) {
		if _, _, parent := c.client.Stat(ctx, c.container, path.Dir(p)); parent == nil {
			err = fmt.Errorf("%q: the engine cannot resolve it: %w", p, ErrNotRegular)
		}
	}
	return mode, size, err
}
