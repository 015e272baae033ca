package dockerx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// The archive calls are made only about containers that have not started or
// have certainly stopped: a process inside could otherwise swap a link under
// the engine's hands (CVE-2026-41568, CVE-2026-42306). So could an input that is being
// unpacked into a container's volumes through another one.

// Upload unpacks a plain tar in a directory of a container. Writes go through to its
// volumes. If the root filesystem is read-only, the directory must be in a volume. The
// engine's silence is bounded, the reader's is not: tar is closed,
// which must end a Read under way, when ctx ends and when the engine is lost,
// since the HTTP transport waits for that Read whatever happens.
func (c *Client) Upload(ctx context.Context, name, dir string, tar io.ReadCloser) error {
	ctx, dog := watch(ctx, "upload")
	defer dog.stop()
	unblock := func() { tar.Close() }
	defer context.AfterFunc(ctx, unblock)()
	ctx = whenLost(ctx, unblock)
	// CopyUIDGID stays off: 20.10 looks the user up in the image's passwd.
	err := c.api().CopyToContainer(ctx, name, dir, dog.source(tar), container.CopyToContainerOptions{})
	if errors.Is(err, io.ErrClosedPipe) && ctx.Err() == nil {
		return fmt.Errorf("upload: %w", errLost) // so tar was closed
	}
	return cause(ctx, err)
}

// FileInfo is what an engine says of a path in a container.
type FileInfo struct {
	Mode    fs.FileMode
	Size    int64
	ModTime time.Time
	// Target is where a link leads, all links resolved, inside the container's root.
	Target string
}

// Stat describes a path in a container. A link is described, not followed; a
// link among its parents is followed inside the container's root. An absent
// path is fs.ErrNotExist.
func (c *Client) Stat(ctx context.Context, name, path string) (FileInfo, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	stat, err := c.api().ContainerStatPath(ctx, name, path)
	if errdefs.IsNotFound(err) {
		return FileInfo{}, c.absent(ctx, name, path)
	}
	if err != nil {
		return FileInfo{}, fmt.Errorf("%q: %w", path, cause(ctx, err))
	}
	return FileInfo{stat.Mode, stat.Size, stat.Mtime, stat.LinkTarget}, nil
}

// absent tells an absent path from an absent container: both are "not found".
func (c *Client) absent(ctx context.Context, name, path string) error {
	state, err := c.Inspect(ctx, name)
	if err != nil {
		return err
	}
	if state.Gone {
		return ErrGone
	}
	return fmt.Errorf("%q: %w", path, fs.ErrNotExist)
}

// Download returns a tar of the file or directory at path. It must be closed
// before anything else is asked of the container: the engine holds its lock.
func (c *Client) Download(ctx context.Context, name, path string) (io.ReadCloser, error) {
	ctx, dog := watch(ctx, "download")
	body, _, err := c.api().CopyFromContainer(ctx, name, path)
	if err != nil {
		err = fmt.Errorf("%q: %w", path, cause(ctx, err))
		dog.stop()
		return nil, err
	}
	return &download{Reader: dog.reader(body), ctx: ctx, body: body, dog: dog}, nil
}

type download struct {
	io.Reader
	ctx  context.Context
	body io.Closer
	dog  *watchdog
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = cause(d.ctx, err)
	}
	return n, err
}

func (d *download) Close() error {
	defer d.dog.stop()
	return d.body.Close()
}
