package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/stdio"
	"github.com/synchestra-io/sandbox/isolation"
)

// stage makes the run's volumes and fills them, and returns the mounts that the
// job's container gets of them, by directory. The upload goes through a container
// that never starts, so nothing runs for it. In it every volume is mounted below
// one directory that no image has, at the place that it will have in the job's
// container below "/": a volume inside InputDir gets its share of the tree by
// itself.
func (r *run) stage(ctx context.Context, p plan, engine dockerx.Engine, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
	if p.limits.DiskMB > 0 {
		return r.stageOnDisk(ctx, p, engine, image, dirs)
	}
	inside, staged := map[string]mount.Mount{}, []mount.Mount{}
	for _, d := range dirs {
		if d.volume {
			name := fmt.Sprintf("%s-%d", r.name, len(staged))
			if _, err := r.createVolume(ctx, name, nil); err != nil {
				return nil, err
			}
			inside[d.path] = isolation.Volume(name, d.path, r.labels)
			staged = append(staged, isolation.Volume(name, path.Join("/", r.name, d.path), r.labels))
		}
	}
	if len(staged) == 0 {
		return nil, nil
	}
	name := r.name + "-stage"
	config := isolation.Config(image.ID, []string{"never-started"}, nil, "", r.labels, false)
	if err := r.createContainer(ctx, name, config, isolation.Staging(staged, covers(image))); err != nil {
		return nil, err
	}
	return inside, r.upload(ctx, name, p, dirs)
}

// covers keeps the image's VOLUMEs from being copied for a container that runs
// nothing of the image.
func covers(image dockerx.Image) map[string]string {
	tmpfs := map[string]string{}
	for _, v := range image.Volumes {
		tmpfs[v] = ""
	}
	return tmpfs
}

// upload streams the volumes' root directories and the input to the engine.
func (r *run) upload(ctx context.Context, name string, p plan, dirs []directory) error {
	return r.uploadTo(ctx, name, func(w io.Writer) error { return writeVolumes(w, r.name, p, dirs) })
}

// uploadTo streams the tar that write makes.
func (r *run) uploadTo(ctx context.Context, name string, write func(io.Writer) error) error {
	read, out := io.Pipe()
	body := uploadBody{read}
	written := make(chan error, 1)
	go func() {
		err := stdio.ErrGoexit
		defer func() {
			out.CloseWithError(err)
			written <- err
		}()
		err = write(out)
	}()
	err := r.engine.Upload(ctx, name, body)
	body.Close()
	inputErr := errUploadEnded
	select {
	case inputErr = <-written:
	case <-time.After(r.bounds.Reader):
		// A Read of the caller's does not return. Its goroutine ends when it does.
	}
	switch {
	case inputErr != nil && !errors.Is(inputErr, errUploadEnded):
		return inputErr
	case inputErr != nil && err == nil:
		return errors.New("the engine took the upload for complete before it was")
	}
	return err
}

// checkStaged makes sure that the job's container has the volumes that were
// filled: they cannot have been removed while the staging container was there, and
// the engine makes new ones, empty, in place of missing ones.
func (r *run) checkStaged(ctx context.Context, p plan, staged map[string]mount.Mount) error {
	if len(staged) == 0 {
		return nil
	}
	state, err := r.engine.Inspect(ctx, r.name+"-stage")
	switch {
	case err != nil:
		return fmt.Errorf("staging container: %w", err)
	case state.Gone:
		return fmt.Errorf("staging container: %w", dockerx.ErrGone)
	case p.limits.DiskMB > 0 && (!state.Running || state.Restarted):
		return errors.New("staging container: it was stopped by somebody else, and the files in Limits.DiskMB are gone")
	}
	return nil
}

// errUploadEnded is what the writer of the input sees when the engine wants no
// more of it. A caller's own reader can fail with io.ErrClosedPipe.
var errUploadEnded = errors.New("upload ended")

type uploadBody struct{ *io.PipeReader }

func (b uploadBody) Close() error { return b.CloseWithError(errUploadEnded) }

// writeVolumes writes one tar with everything that the volumes hold. First come
// their roots, so that these belong to the user of the job, and so that no name
// of the caller's stands at the front, where engines look for signs of
// compression.
func writeVolumes(w io.Writer, root string, p plan, dirs []directory) error {
	buffer := bufio.NewWriterSize(w, 64<<10)
	tree := archive.NewRewriter(buffer, path.Join(root, p.inputDir))
	for _, d := range dirs {
		if !d.volume {
			continue
		}
		if err := tree.Directory(path.Join(root, d.path)); err != nil {
			return err
		}
	}
	if p.input != nil {
		if err := tree.Copy(stdio.SafeReader(p.input)); err != nil {
			return fmt.Errorf("InputTar: %w", err)
		}
	}
	if err := tree.Close(); err != nil {
		return err
	}
	return buffer.Flush()
}
