package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/task"
	"github.com/synchestra-io/sandbox/isolation"
)

// stage prepares the writable directories that something must cross. It returns their
// mounts for the job's container, by directory. They are filled by then, or with r.fill.
func (r *run) stage(ctx context.Context, p plan, engine dockerx.Engine, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
	switch {
	case engine.Podman:
		return r.stageForPodman(ctx, p, image, dirs)
	case p.limits.DiskMB > 0:
		return r.stageOnDisk(ctx, p, engine, image, dirs)
	case len(volumes(dirs)) == 0:
		return nil, nil
	}
	return r.stageInVolumes(ctx, p, image, dirs)
}

// stageInVolumes creates the run's volumes, and returns the mounts of them for the
// job's container, by directory. The upload goes through a container that never
// starts, so nothing runs. In that container the volumes are mounted side by side, below
// one directory that no image has.
func (r *run) stageInVolumes(ctx context.Context, p plan, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
	inside, staged := map[string]mount.Mount{}, []mount.Mount{}
	for _, d := range dirs {
		if d.volume {
			name := fmt.Sprintf("%s-%d", r.name, len(staged))
			if _, err := r.createVolume(ctx, name, nil); err != nil {
				return nil, err
			}
			inside[d.path] = isolation.Volume(name, d.path, r.labels)
			staged = append(staged, isolation.Volume(name, path.Join(r.stagedTree(), d.place), r.labels))
		}
	}
	r.fill = func(ctx context.Context) error {
		name := r.stagingName()
		config := isolation.Config(image.ID, []string{"never-started"}, nil, "", r.labels, false)
		if err := r.createContainer(ctx, name, config, isolation.Staging(staged, shadowVolumes(image))); err != nil {
			return err
		}
		return r.upload(ctx, p, name, "/", p.tree(r.stagedTree()[1:], image, dirs, false))
	}
	return inside, nil
}

// whileFilling makes the first container for a command while the input is on its way. Nothing
// is asked about what is in that container meanwhile: the engine would look for the places of
// its mounts in what the input changes.
func (r *run) whileFilling(ctx context.Context, create func(context.Context) error) error {
	fill := r.fill
	if r.fill = nil; fill == nil {
		err := create(ctx)
		r.used = nil // it was looked at a moment ago
		return fail(OpCreate, err)
	}
	creating, giveUp := context.WithCancel(ctx)
	filling, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	created := task.Begin(func() error {
		err := errNotCreated // also after a panic
		defer func() {
			if err != nil {
				stop(errNotCreated)
			}
		}()
		err = create(creating)
		return err
	})
	defer func() { <-created.Ended() }() // after a panic of the caller's, too
	defer giveUp()
	err := fill(filling)
	if err != nil && !errors.Is(context.Cause(filling), errNotCreated) {
		return fail(OpStage, err)
	}
	return fail(OpCreate, created.Wait())
}

var errNotCreated = errors.New("the container was not created")
