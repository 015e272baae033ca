package sandbox

import (
	"context"
	"fmt"
	"path"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/upload"
	"github.com/synchestra-io/sandbox/isolation"
)

// stageInVolumes makes the run's volumes and fills them, and returns the mounts that the
// job's container gets of them, by directory. The upload goes through a container
// that never starts, so nothing runs for it. In it every volume is mounted below
// one directory that no image has, at the place that it will have in the job's
// container below "/": a volume inside InputDir gets its share of the tree by
// itself.
func (r *run) stageInVolumes(ctx context.Context, p plan, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
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
	name := r.stagingName()
	config := isolation.Config(image.ID, []string{"never-started"}, nil, "", r.labels, false)
	if err := r.createContainer(ctx, name, config, isolation.Staging(staged, shadowVolumes(image))); err != nil {
		return nil, err
	}
	return inside, upload.Tar(ctx, r.client, name, p.tree(r.name, dirs))
}
