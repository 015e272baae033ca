package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/validate"
)

// covered refuses a path in a place where a link of the image's made the runtime mount
// two of the run's directories. Which of them the command saw depends on the engine.
func (c *collector) covered(ctx context.Context, p string) error {
	for _, dir := range c.own {
		place, err := c.place(ctx, dir)
		if err != nil {
			return err
		}
		if place == dir || !validate.Overlap(p, dir) && !validate.Overlap(p, place) {
			continue
		}
		for _, other := range c.own {
			if other != dir && validate.Overlap(place, other) {
				return fmt.Errorf("%q: %w: the image has a link from %q to %q, so that one of the directories %q and %q covered the other",
					p, ErrNotRegular, dir, place, dir, other)
			}
		}
	}
	return nil
}

// place returns where the runtime mounted one of the run's directories: the links on its
// path are the image's. Inside another such directory there were none.
func (c *collector) place(ctx context.Context, dir string) (string, error) {
	if place, known := c.places[dir]; known {
		return place, nil
	}
	place := dir
	for end := 1; end <= len(dir); end++ {
		if end < len(dir) && dir[end] != '/' {
			continue
		}
		above := dir[:end]
		if slices.ContainsFunc(c.own, func(own string) bool { return above != own && validate.Within(above, own) }) {
			break
		}
		info, err := c.client.Stat(ctx, c.container, above)
		if errors.Is(err, fs.ErrNotExist) || errdefs.IsInternal(err) {
			break // it was made at the start, or leads nowhere
		}
		if err != nil {
			return "", err
		}
		if info.Mode&fs.ModeSymlink != 0 {
			place = path.Join(info.Target, strings.TrimPrefix(dir, above))
			break
		}
	}
	c.places[dir] = place
	return place, nil
}
