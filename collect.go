package sandbox

import (
	"context"
	"errors"
	"math"
	"path"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/task"
)

// readingTime is how long it may take to read the artifacts, for a Sweep that sees only the
// stopped container: two seconds for a MiB, which is slow, and with OutputTar what its Writes
// may take. Nothing else bounds it.
func (p plan) readingTime(b bounds.Bounds) time.Duration {
	if len(p.collect) == 0 {
		return 0
	}
	mib, perMiB := max(p.limits.ArtifactBytes, defaultArtifactBytes)>>20, 2*time.Second
	if p.output != nil {
		mib = 2*mib + artifacts.MaxEntries*archiveHeader>>20 // with names and headers
		perMiB = (1 << 20 / artifacts.Piece) * b.Writer
	}
	return time.Duration(min(mib, int64(math.MaxInt64/perMiB))) * perMiB
}

// archiveHeader is what a file takes in an archive beside its content and its name, in bytes.
const archiveHeader = 4 * 512

// collect fills in the artifacts, or writes them as an archive, and whether the disk is full.
// The container has stopped. If it was killed, this is a part of the run's ending.
func (r *run) collect(ctx context.Context, p plan, dirs []directory, staged map[string]mount.Mount, exit dockerx.Exit, res *Result) error {
	ctx, release := r.ending.Bind(ctx)
	defer release()
	out := newOutput(ctx, p, r.bounds)
	defer out.close()
	defer func() { r.archived = out.files() }()
	err := r.collectInto(ctx, p, dirs, staged, exit, out, res)
	if err == nil {
		err = out.finish()
	} else if failed := out.failed(); failed != nil {
		err = errors.Join(failed, err)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (r *run) collectInto(ctx context.Context, p plan, dirs []directory, staged map[string]mount.Mount, exit dockerx.Exit, out *output, res *Result) (err error) {
	if p.limits.DiskMB == 0 {
		res.Artifacts, res.Uncollected, err = r.artifacts(ctx, p, dirs, exit, out)
		return err
	}
	asking, giveUp := context.WithCancel(ctx)
	var full bool
	asked := task.Begin(func() (err error) { full, err = r.diskFull(asking); return err })
	defer func() { <-asked.Ended() }()
	defer giveUp()
	if res.Artifacts, res.Uncollected, err = r.artifacts(ctx, p, dirs, exit, out); err != nil {
		return err
	}
	err = asked.Wait()
	// A disk that was lost meanwhile had nothing to collect.
	if lost := r.checkStaged(ctx, p, staged); lost != nil {
		res.Artifacts, res.Uncollected = nil, nil
		return lost
	}
	res.DiskFull = full
	return err
}

// artifacts copies the artifacts out of the container. Nothing is collected if ctx
// ends, or if somebody starts the container again: its files would then be those of a
// command in progress.
func (r *run) artifacts(ctx context.Context, p plan, dirs []directory, exit dockerx.Exit, out *output) (map[string][]byte, map[string]error, error) {
	if len(p.collect) == 0 {
		return nil, nil, nil
	}
	want := artifacts.Request{Paths: p.collect, Bytes: p.limits.ArtifactBytes, Own: paths(dirs), Overlays: r.overlays, FewFiles: p.limits.DiskMB > 0}
	if r.engine.Podman {
		want.Staged = &artifacts.Staged{Container: r.stagingName(), Volumes: map[string]string{}, Mounts: p.targets()}
		for _, d := range dirs {
			if d.volume {
				want.Staged.Volumes[d.path] = path.Join(r.stagedTree(), d.place)
			}
		}
	}
	if out != nil {
		want.Archive = out.archive
	}
	files, missed, err := artifacts.Collect(ctx, r.client, r.name, want)
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil && out.failed() == nil {
		return files, missed, err
	}
	if err := r.client.Unchanged(ctx, r.name, exit); err != nil {
		return nil, nil, err
	}
	return files, missed, nil
}
