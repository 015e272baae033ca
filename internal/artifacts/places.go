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

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// Overlay is two directories of a run that links of the image's put in one place, or one
// inside the other. Which of them the command saw depends on the engine.
type Overlay struct {
	dirs   [2]string
	places [2]string // where the runtime mounts them
}

// Overlays finds the overlays among what is mounted in a container. It must not have
// started: later the command decides what is there.
func Overlays(ctx context.Context, client *dockerx.Client, container string, mounted []string) (found []Overlay, err error) {
	places, err := Places(ctx, client, container, mounted, mounted)
	if err != nil {
		return nil, err
	}
	for i, dir := range mounted {
		for k := range i {
			if validate.Overlap(places[i], places[k]) && !sameWay(mounted[k], dir, places[k], places[i]) {
				found = append(found, Overlay{[2]string{mounted[k], dir}, [2]string{places[k], places[i]}})
			}
		}
	}
	return found, nil
}

// sameWay tells whether one of a and b is inside the other by the same names as one of their
// places is.
func sameWay(a, b, atA, atB string) bool {
	inside := func(a, b, atA, atB string) bool {
		way, named := strings.CutPrefix(b, a+"/")
		is, placed := strings.CutPrefix(atB, atA+"/")
		return named && placed && way == is
	}
	return inside(a, b, atA, atB) || inside(b, a, atB, atA)
}

// Places tells where the runtime finds paths in a container that has none of mounted at its
// place: the links on the way are the image's.
func Places(ctx context.Context, client *dockerx.Client, container string, mounted, paths []string) ([]string, error) {
	l := links{client: client, container: container, mounted: mounted, asked: map[string]string{}}
	places := make([]string, len(paths))
	for i, p := range paths {
		var err error
		if places[i], err = l.place(ctx, p); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// Concerns tells whether a directory is one of the two.
func (o Overlay) Concerns(dir string) bool { return slices.Contains(o.dirs[:], dir) }

func (o Overlay) String() string {
	return fmt.Sprintf("by links of the image's %q is at %q and %q is at %q, so that one hides the other", o.dirs[0], o.places[0], o.dirs[1], o.places[1])
}

// hides says why a path may not be what the command saw there, or nil.
func (o Overlay) hides(p string) error {
	for _, place := range slices.Concat(o.dirs[:], o.places[:]) {
		if validate.Overlap(p, place) {
			return fmt.Errorf("%q: %w: %v", p, ErrNotRegular, o)
		}
	}
	return nil
}

// links asks an engine about the links on paths in a container.
type links struct {
	client    *dockerx.Client
	container string
	mounted   []string
	asked     map[string]string // where a path leads, "" = it is no link
}

// maxLinks is how many links the kernel follows on one path.
const maxLinks = 40

// place returns where the runtime mounts a directory: the links on its path are the
// image's.
func (l links) place(ctx context.Context, dir string) (string, error) {
	for range maxLinks {
		next, err := l.follow(ctx, dir)
		if err != nil || next == dir {
			return next, err
		}
		dir = next
	}
	return dir, nil
}

// follow follows the first link on the path of dir. Inside another mounted directory
// there is none: an input may have directories there alone.
func (l links) follow(ctx context.Context, dir string) (string, error) {
	for end := 1; end <= len(dir); end++ {
		if end < len(dir) && dir[end] != '/' {
			continue
		}
		above := dir[:end]
		if slices.ContainsFunc(l.mounted, func(m string) bool { return above != m && validate.Within(above, m) }) {
			break
		}
		target, known := l.asked[above]
		if !known {
			info, err := l.client.Stat(ctx, l.container, above)
			if errors.Is(err, fs.ErrNotExist) || errdefs.IsInternal(err) {
				break // it is made at the start, or leads nowhere
			}
			if err != nil {
				return "", err
			}
			if info.Mode&fs.ModeSymlink != 0 {
				target = info.Target
			}
			l.asked[above] = target
		}
		if target != "" {
			return path.Join(target, strings.TrimPrefix(dir, above)), nil
		}
	}
	return dir, nil
}
