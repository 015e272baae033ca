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

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/isolation"
)

// stage makes the run's volumes and fills them, and returns their names by
// directory. The upload goes through a container that never starts, so nothing
// runs for it. In it every volume is mounted below one directory that no image
// has, at the place that it will have in the job's container below "/": a
// volume inside InputDir gets its share of the tree by itself.
func (r *run) stage(ctx context.Context, p plan, image dockerx.Image, dirs []directory) (map[string]string, error) {
	volumes := map[string]string{}
	var mounts []mount.Mount
	for _, d := range dirs {
		if d.volume {
			name := fmt.Sprintf("%s-%d", r.name, len(volumes))
			if err := r.createVolume(ctx, name); err != nil {
				return nil, err
			}
			volumes[d.path] = name
			mounts = append(mounts, isolation.Volume(name, path.Join("/", r.name, d.path), r.labels))
		}
	}
	if len(volumes) == 0 {
		return nil, nil
	}
	// Covered, the image's VOLUMEs are not copied for a container that never runs.
	covers := map[string]string{}
	for _, v := range image.Volumes {
		covers[v] = ""
	}
	name := r.name + "-stage"
	config := isolation.Config(image.ID, []string{"never-started"}, nil, "", r.labels)
	if err := r.createContainer(ctx, name, config, isolation.Staging(mounts, covers)); err != nil {
		return nil, err
	}
	return volumes, r.upload(ctx, name, p, dirs)
}

// upload streams the volumes' root directories and the input to the engine.
func (r *run) upload(ctx context.Context, name string, p plan, dirs []directory) error {
	read, out := io.Pipe()
	body := uploadBody{read}
	written := make(chan error, 1)
	go func() {
		err := writeVolumes(out, r.name, p, dirs)
		out.CloseWithError(err)
		written <- err
	}()
	err := r.engine.Upload(ctx, name, body)
	body.Close()
	inputErr := errUploadEnded
	select {
	case inputErr = <-written:
	case <-time.After(r.bounds.reader):
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
func (r *run) checkStaged(ctx context.Context, volumes map[string]string) error {
	if len(volumes) == 0 {
		return nil
	}
	state, err := r.engine.Inspect(ctx, r.name+"-stage")
	if err == nil && state.Gone {
		err = dockerx.ErrGone
	}
	if err != nil {
		return fmt.Errorf("staging container: %w", err)
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
	tree := newTreeWriter(buffer, path.Join(root, p.inputDir))
	for _, d := range dirs {
		if !d.volume {
			continue
		}
		if err := tree.root(path.Join(root, d.path)); err != nil {
			return err
		}
	}
	if p.input != nil {
		if err := tree.write(p.input); err != nil {
			return err
		}
	}
	if err := tree.out.Close(); err != nil {
		return err
	}
	return buffer.Flush()
}
