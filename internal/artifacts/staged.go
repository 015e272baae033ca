package artifacts

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// Staged is for Podman, which shows what is in a container's mounts only to who asks for a
// path at or below one of them, each for itself, and has the top of one without a name. So
// the run's volumes are read where they were filled, in another container.
type Staged struct {
	Container string
	Volumes   map[string]string // directories of the run, and where Container has them
	Mounts    []string          // of the job
}

// claims lists the volumes and mounts.
func (s *Staged) claims() []string {
	return slices.AppendSeq(slices.Clone(s.Mounts), maps.Keys(s.Volumes))
}

// inside lists the volumes and mounts that are strictly inside a directory.
func (s *Staged) inside(dir string) (found []string) {
	if s == nil {
		return nil
	}
	for _, claim := range s.claims() {
		if claim != dir && validate.Within(claim, dir) {
			found = append(found, claim)
		}
	}
	slices.Sort(found)
	return found
}

// at is where the engine has p: the deepest volume or mount that p is in decides.
func (c *collector) at(p string) (container, at string) {
	s := c.staged
	if s == nil {
		return c.container, p
	}
	deepest := ""
	for _, claim := range s.claims() {
		if validate.Within(p, claim) && len(claim) > len(deepest) {
			deepest = claim
		}
	}
	if place, ok := s.Volumes[deepest]; ok {
		return s.Container, place + strings.TrimPrefix(p, deepest)
	}
	return c.container, p
}

func (c *collector) download(ctx context.Context, p string) (io.ReadCloser, error) {
	container, at := c.at(p)
	return c.client.Download(ctx, container, at)
}

// Patterns has the characters that make a path a pattern for Podman.
const Patterns = `*?[\`

// unaskable says why an engine cannot be asked for p, or nil.
func (c *collector) unaskable(p string) error {
	if c.staged != nil && strings.ContainsAny(p, Patterns) {
		return fmt.Errorf("%q: Podman takes it for a pattern: %w", p, dockerx.ErrUnsupported)
	}
	if runtime.GOOS == "windows" && strings.Contains(p, `\`) {
		return fmt.Errorf("%q: on Windows the engine would be asked for another path: %w", p, dockerx.ErrUnsupported)
	}
	return nil
}

// named tells how the first entry of Podman's tar of p is named: as where p is, or not at
// all, for the top of a mount. Any other name is that of what a link leads to.
func (c *collector) named(p, name string) (bare bool, err error) {
	if _, at := c.at(p); c.staged == nil || path.Clean(name) == path.Base(at) {
		return false, nil
	}
	if slices.Contains(c.staged.Mounts, p) {
		return true, nil
	}
	return false, fmt.Errorf("%q leads through a symbolic link: %w", p, ErrNotRegular)
}
