package sandbox

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/pause"
	"github.com/synchestra-io/sandbox/internal/upload"
	"github.com/synchestra-io/sandbox/isolation"
)

// The disk has two entries, neither of them named by the caller: the tree with the
// job's directories, at the paths that they have below "/" in the job's container, and
// a file by which it is found out whether the disk is full.
const (
	diskTree  = "tree"
	diskProbe = "probe"
)

// stageOnDisk is stageInVolumes with a cap: all writable directories are in one file
// system, the disk. It is a volume of type tmpfs, since only that has a hard cap on
// every engine. Its content lasts as long as a running container has it mounted, so a
// second container, the holder, does. It runs our own pause program and nothing else.
// The job's directories are bind mounts of directories in the volume, so that they
// share the cap.
func (r *run) stageOnDisk(ctx context.Context, p plan, arch string, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
	program, known := pause.Program(arch)
	if !known {
		return nil, fmt.Errorf("Limits.DiskMB %d: %w: there is no pause program for architecture %q", p.limits.DiskMB, ErrUnsupported, arch)
	}
	name, holder := r.name+"-0", r.stagingName()
	at, err := r.createVolume(ctx, name, p.limits.diskOptions())
	if err != nil {
		return nil, p.limits.explainDisk(err)
	}
	mounts := []mount.Mount{isolation.Volume(name, path.Join("/", r.name), r.labels)}
	config := isolation.Program(image.ID, "/"+holder, r.labels)
	if err := r.createContainer(ctx, holder, config, isolation.Staging(mounts, shadowVolumes(image))); err != nil {
		return nil, err
	}
	if err := upload.Tar(ctx, r.client, holder, nil, archive.SingleFile(holder, 0o755, program)); err != nil {
		return nil, err
	}
	if err := r.client.Start(ctx, holder, r.verify[holder]); err != nil {
		return nil, p.limits.explainDisk(err)
	}
	inside := map[string]mount.Mount{}
	for _, d := range dirs {
		inside[d.path] = isolation.Part(path.Join(at, diskTree, d.path), d.path)
	}
	err = upload.Tar(ctx, r.client, holder, p.input, p.tree(path.Join(r.name, diskTree), image, dirs))
	if noSpace(err) {
		err = fmt.Errorf("InputTar does not fit into Limits.DiskMB %d: %w", p.limits.DiskMB, err)
	}
	return inside, err
}

// explainDisk names the field when the engine refuses the disk.
func (l Limits) explainDisk(err error) error {
	if errdefs.IsInternal(err) || errdefs.IsInvalidArgument(err) {
		err = fmt.Errorf("Limits.DiskMB %d: %w: %w", l.DiskMB, ErrUnsupported, err)
	}
	return err
}

// noSpace tells the engine's ENOSPC from its other errors.
func noSpace(err error) bool {
	return errdefs.IsInternal(err) && strings.Contains(err.Error(), "no space left on device")
}

// diskOptions are those of mount(8), for the engine's local driver.
func (l Limits) diskOptions() map[string]string {
	size := l.DiskMB << 20
	return map[string]string{
		"type": "tmpfs", "device": "tmpfs",
		"o": fmt.Sprintf("size=%d,nr_inodes=%d,uid=%d,gid=%d,mode=0755,nosuid,nodev", size, inodes(size), isolation.UID, isolation.GID),
	}
}

// diskFull tells whether there is no room left for one more file of one byte.
func (r *run) diskFull(ctx context.Context) (bool, error) {
	err := upload.Tar(ctx, r.client, r.stagingName(), nil, archive.SingleFile(path.Join(r.name, diskProbe), 0o600, []byte{0}))
	if noSpace(err) {
		return true, nil
	}
	return false, err
}
