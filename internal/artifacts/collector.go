// Package artifacts copies files out of a container that has stopped. The command
// decided what is there: nothing is followed, and nothing is believed.
package artifacts

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

var (
	// ErrTooLarge is wrapped for a file that does not fit into the budget, and for a
	// directory that was only partly read.
	ErrTooLarge = errors.New("too large")
	// ErrNotRegular is wrapped for a link, fifo, socket or device, and for a path that
	// leads through a link.
	ErrNotRegular = errors.New("not a regular file")
)

// minNames is the minimum budget for names and reasons, in bytes, however small the
// budget for content is: a job can create any number of empty files.
const minNames = 1 << 20

// minSkip is the minimum of what may be skipped, in bytes, however small the budget for
// content is. The engine sends a file in any case, also one that does not fit: a sparse
// one can take hours.
const minSkip = 256 << 20

// MaxEntries bounds the files, directories and links that are read from
// directories: a job can create millions in a moment. Each of them costs the caller
// time, and an empty file some memory.
const MaxEntries = 100_000

// Request is what to collect.
type Request struct {
	Paths []string // clean and absolute, of files and directories
	Own   []string // the run's writable directories
	Bytes int64    // budget for content; names have one of their own
	// Overlays are those of the container, from before its start.
	Overlays []Overlay
	Staged   *Staged // nil = all is in the container
	// FewFiles tells that the command cannot have made many files. Only then a directory is
	// read for some of its files: the engine lists all names below one before it sends
	// the first, and nothing else can be asked of the container meanwhile.
	FewFiles bool
	// Archive gets the files instead of the caller's memory; nil = it does not.
	Archive *Archive
}

// Collect copies the artifacts out of a container that has stopped. Links are not
// followed, and sizes are known before anything is read. A path that cannot be
// collected is not an error; missed says why. If there is an error, the maps contain
// what came before it.
func Collect(ctx context.Context, client *dockerx.Client, container string, want Request) (files map[string][]byte, missed map[string]error, err error) {
	c := &collector{
		client: client, container: container, own: want.Own,
		left: want.Bytes, skip: max(want.Bytes, minSkip), names: max(want.Bytes, minNames), seen: map[string]dockerx.FileInfo{},
		overlays: want.Overlays, staged: want.Staged, archive: want.Archive,
	}
	for rest := want.Paths; len(rest) > 0; {
		group := siblings(rest)
		rest = rest[len(group):]
		c.ready = nil
		if want.FewFiles && want.Archive == nil {
			c.prefetch(ctx, group)
		}
		for _, path := range group {
			if err := c.path(ctx, path); err != nil {
				return c.files, c.missed, err
			}
		}
	}
	return c.files, c.missed, nil
}

type collector struct {
	client    *dockerx.Client
	container string
	own       []string                    // the run's writable directories
	left      int64                       // what still fits of content, in bytes
	skip      int64                       // what may still be skipped of content that does not fit, in bytes
	names     int64                       // what still fits of names and reasons, in bytes
	count     int                         // entries of the engine's tars
	seen      map[string]dockerx.FileInfo // paths that the engine was asked about
	overlays  []Overlay
	staged    *Staged
	front     string            // what is in front of all names of the tar that is being read
	hidden    []string          // directories below the one that is being read, which come for themselves
	ready     map[string][]byte // what has come of the files that are asked for next
	files     map[string][]byte // nil until there is one, as missed
	missed    map[string]error
	archive   *Archive
}

func (c *collector) keep(p string, content []byte) {
	if c.files == nil {
		c.files = map[string][]byte{}
	}
	c.files[p] = content
	c.charge(p, int64(len(content)))
}

// charge charges a file that was collected.
func (c *collector) charge(p string, size int64) {
	c.names -= int64(len(p))
	c.left -= size
	delete(c.missed, p) // it was one hard link too many, and is asked for by itself
}

// has tells whether a file was collected, and its size.
func (c *collector) has(p string) (size int64, have bool) {
	if c.archive != nil {
		size, have = c.archive.sizes[p]
		return size, have
	}
	content, have := c.files[p]
	return int64(len(content)), have
}

func (c *collector) miss(p string, why error) {
	if c.missed == nil {
		c.missed = map[string]error{}
	}
	c.missed[p] = why
	c.names -= int64(len(p) + len(why.Error()))
}

// missing tells whether an error is a reason for Uncollected, and not one of the run. What broke
// an archive is the run's, whatever the caller's writer says.
func (c *collector) missing(err error, reasons ...error) bool {
	if c.archive != nil && c.archive.broke {
		return false
	}
	return slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(err, r) })
}

// askable says why the engine must not be asked for p, or nil.
func (c *collector) askable(p string) error {
	err := c.unaskable(p)
	for _, o := range c.overlays {
		err = cmp.Or(err, o.hides(p))
	}
	return err
}

// path collects one path of the job's. The error is the engine's.
func (c *collector) path(ctx context.Context, p string) error {
	if _, have := c.has(p); have {
		return nil
	}
	if content, ready := c.ready[p]; ready && int64(len(content)) <= c.left {
		c.keep(p, content)
		return nil
	}
	err := c.askable(p)
	var info dockerx.FileInfo
	if err == nil {
		info, err = c.lookup(ctx, p)
	}
	if err == nil {
		switch {
		case info.Mode.IsDir():
			err = c.directory(ctx, p)
		case info.Mode.IsRegular():
			err = c.file(ctx, p, info)
		default:
			err = fmt.Errorf("%q: %w (mode %v)", p, ErrNotRegular, info.Mode.Type())
		}
	}
	if c.missing(err, fs.ErrNotExist, ErrNotRegular, ErrTooLarge, dockerx.ErrUnsupported) {
		c.miss(p, err)
		return nil
	}
	return err
}

// file reads one regular file.
func (c *collector) file(ctx context.Context, p string, info dockerx.FileInfo) error {
	switch {
	case info.Size == 0:
		h := &tar.Header{Typeflag: tar.TypeReg, Mode: int64(info.Mode.Perm()), ModTime: info.ModTime}
		return c.read(p, h, strings.NewReader(""))
	case info.Size > c.left:
		return c.tooLarge(p, info.Size)
	}
	return c.content(ctx, p, p)
}

// content reads the regular file at for the path p, which is another name of it or the same.
func (c *collector) content(ctx context.Context, p, at string) error {
	body, err := c.download(ctx, at)
	if err != nil {
		return err
	}
	defer body.Close()
	in := archive.NewReader(body)
	h, err := next(in)
	if err == io.EOF {
		return fmt.Errorf("%q: the engine cannot read it: %w", p, fs.ErrNotExist)
	}
	if err == nil {
		_, err = c.named(at, h.Name)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return c.read(p, h, in)
}
