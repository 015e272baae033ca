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
// job's directories, and a file by which it is found out whether the disk is full.
//
// The directories are side by side in the tree, also those that are inside one another in
// the job's container. The engine looks up, on its host, where each of them is; below a
// directory of the job's it would follow the job's links.
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
func (r *run) stageOnDisk(ctx context.Context, p plan, engine dockerx.Engine, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
	program, known := pause.Program(engine.Architecture)
	if !known {
		return nil, fmt.Errorf("Limits.DiskMB %d: %w: there is no pause program for architecture %q", p.limits.DiskMB, ErrUnsupported, engine.Architecture)
	}
	disk := r.name + "-0"
	at, err := r.createVolume(ctx, disk, p.limits.diskOptions())
	if err != nil {
		return nil, p.limits.explainDisk(err)
	}
	if err := r.createHolder(ctx, engine, image, disk, program); err != nil {
		return nil, err
	}
	if err := r.client.Start(ctx, r.stagingName(), r.verify[r.stagingName()]); err != nil {
		return nil, p.limits.explainDisk(err)
	}
	err = r.upload(ctx, p, r.stagingName(), r.diskDir(), p.tree(diskTree, image, dirs, false))
	if noSpace(err) {
		err = fmt.Errorf("InputTar does not fit into Limits.DiskMB %d: %w", p.limits.DiskMB, err)
	}
	return parts(at, dirs), err
}

// parts are the mounts of directories that are in one volume, which the engine has at a path
// of its host.
func parts(at string, dirs []directory) map[string]mount.Mount {
	inside := map[string]mount.Mount{}
	for _, d := range dirs {
		if d.volume {
			inside[d.path] = isolation.Part(path.Join(at, diskTree, d.place), d.path)
		}
	}
	return inside
}

// diskDir is where the holder has the disk, a path that no image has.
func (r *run) diskDir() string { return path.Join("/", r.name) }

// stagedTree is where the staging container has the job's directories, each at its place.
func (r *run) stagedTree() string { return path.Join(r.diskDir(), diskTree) }

// createHolder makes the container that holds the disk, with its program. Its root
// filesystem is read-only, so the program comes in through a volume of its own, which
// the engine makes together with the container.
func (r *run) createHolder(ctx context.Context, engine dockerx.Engine, image dockerx.Image, disk string, program []byte) error {
	const file = "pause"
	holder, volume := r.stagingName(), r.name+"-1"
	dir := path.Join("/", holder)
	preset := holderPreset(engine)
	preset.Mounts = []mount.Mount{isolation.Volume(disk, r.diskDir(), r.labels), isolation.Volume(volume, dir, r.labels)}
	preset.Tmpfs = shadowVolumes(image)
	config := isolation.Offline(isolation.Program(image.ID, path.Join(dir, file), r.labels))
	if err := r.createToStart(ctx, holder, config, preset.HostConfig(), volume); err != nil {
		return err
	}
	return upload.Tar(ctx, r.client, holder, dir, nil, archive.SingleFile(file, 0o555, program))
}

// The holder's limits are for its start: with cgroup v1 a runtime needs up to 5 MiB in it;
// with cgroup v2 a copy of runc 1.1's own program counts as well, 16 MiB in all. With a
// tenth of a CPU it needs twice the time. The program itself needs next to nothing. Files
// on the disk count against none of them: what the engine writes counts for the engine,
// and what the job wrote counts for the parent of the job's cgroup after its end.
const (
	holderMemory   = 32 << 20
	holderNanoCPUs = 250_000_000
	holderPIDs     = 32 // the init, the program, and threads of the runtime that are still ending
)

// holderPreset is the job's hardening with the holder's limits, as far as the engine
// enforces limits. It runs nothing foreign, so the runtime is the usual one: others may
// count their own processes and memory.
func holderPreset(engine dockerx.Engine) isolation.Preset {
	preset := engine.Preset()
	if _, known := engine.Runtimes[usualRuntime]; known && engine.DefaultRuntime != usualRuntime {
		preset.Runtime = usualRuntime
	}
	return engine.Limited(preset, holderMemory, holderNanoCPUs, holderPIDs)
}

// usualRuntime is the runtime that every Docker Engine has.
const usualRuntime = "runc"

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
	err := upload.Tar(ctx, r.client, r.stagingName(), r.diskDir(), nil, archive.SingleFile(diskProbe, 0o600, []byte{0}))
	if noSpace(err) {
		return true, nil
	}
	return false, err
}
