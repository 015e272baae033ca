package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/upload"
	"github.com/synchestra-io/sandbox/internal/validate"
	"github.com/synchestra-io/sandbox/isolation"
)

// podmanSeccomp is the file with the seccomp profile, beside diskTree in the volume.
const podmanSeccomp = "seccomp.json"

// podmanFiles are Podman's engineFiles. With a read-only root filesystem it also has files of
// users and groups of its own.
var podmanFiles = []string{
	"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd", "/etc/group", "/run/podman-init", "/run/.containerenv",
}

// stageForPodman is stageInVolumes for Podman, where an upload goes into the volume at its
// path and into no other. So there is one volume, and the job's directories are bind mounts
// of directories in it. It also has the seccomp profile, of which Podman wants the name of
// a file on its host.
func (r *run) stageForPodman(ctx context.Context, p plan, image dockerx.Image, dirs []directory) (map[string]mount.Mount, error) {
	volume, dir := r.name+"-0", r.diskDir()
	at, err := r.createVolume(ctx, volume, nil)
	if err != nil {
		return nil, err
	}
	preset := isolation.Preset{Podman: true, Tmpfs: shadowVolumes(image), Mounts: []mount.Mount{isolation.Volume(volume, dir, r.labels)}}
	if len(p.mounts) > 0 {
		preset.Mounts = append(preset.Mounts, isolation.Bind("/", r.hostDir(), true)) // for checkSources
	}
	config := isolation.Config(image.ID, []string{"never-started"}, nil, "", r.labels, false)
	if err := r.createContainer(ctx, r.stagingName(), config, preset.HostConfig()); err != nil {
		return nil, err
	}
	if err := r.findOverlays(ctx, p, dirs); err != nil {
		return nil, err
	}
	if profile := isolation.SeccompProfile(); profile != "" && !r.engine.OwnersSeccomp() {
		r.seccomp = path.Join(at, podmanSeccomp)
		err := upload.Tar(ctx, r.client, r.stagingName(), dir, nil, archive.SingleFile(podmanSeccomp, 0o444, []byte(profile)))
		if err != nil {
			return nil, fmt.Errorf("seccomp profile: %w", err)
		}
	}
	if len(volumes(dirs)) == 0 {
		return nil, nil
	}
	return parts(at, dirs), r.upload(ctx, p, r.stagingName(), dir, p.tree(diskTree, image, dirs, true))
}

// findOverlays finds the overlays of the run, in the container that has none of its
// mounts at their places. It refuses an image with a link by which one of the directories
// that Podman has of its own lands on, or in, one of the run's.
func (r *run) findOverlays(ctx context.Context, p plan, dirs []directory) error {
	ours := slices.Concat(paths(dirs), p.targets())
	own := slices.DeleteFunc(isolation.PodmanTmpfs(), func(dir string) bool { return slices.Contains(ours, dir) })
	var err error
	if r.overlays, err = artifacts.Overlays(ctx, r.client, r.stagingName(), slices.Concat(ours, own)); err != nil {
		return err
	}
	for _, o := range r.overlays {
		if slices.ContainsFunc(own, o.Concerns) {
			return fmt.Errorf("%w: %v; use an image without such links", ErrUnsupported, o)
		}
	}
	return nil
}

// hostDir is where the staging container has the engine's host, read-only.
func (r *run) hostDir() string { return path.Join("/", r.name+"-host") }

// checkSources looks for the sources of mounts: Podman would make those that do not exist,
// as directories of root's. The container in which it looks never starts.
func (r *run) checkSources(ctx context.Context, p plan) error {
	if !r.engine.Podman {
		return nil
	}
	for i, m := range p.mounts {
		_, err := r.client.Stat(ctx, r.stagingName(), r.hostDir()+m.Source)
		if errors.Is(err, fs.ErrNotExist) {
			return absentSource(i, m, fs.ErrNotExist)
		}
		if err != nil {
			return fmt.Errorf("Mounts[%d].Source %w", i, err)
		}
	}
	return nil
}

// checkPodman refuses what Podman cannot do. It makes texts of mounts, and so takes some
// paths apart.
func (p plan) checkPodman(bad *validate.FieldErrors, engine dockerx.Engine, runtime string) {
	if p.limits.DiskMB > 0 {
		bad.Add("Limits.DiskMB %d: %w; Podman cannot put files into a volume while a container runs", p.limits.DiskMB, ErrUnsupported)
	}
	if runtime != "" && runtime != engine.DefaultRuntime {
		bad.Add("Options.Runtime %q: %w; Podman runs all containers with %q", runtime, ErrUnsupported, engine.DefaultRuntime)
	}
	check := func(field, path string) {
		if strings.ContainsAny(path, `",:`) {
			bad.Add("%s %q: %w; Podman mounts no path with a comma, a colon or a quotation mark", field, path, ErrUnsupported)
		}
	}
	check("InputDir", p.inputDir)
	for i, m := range p.mounts {
		check(fmt.Sprintf("Mounts[%d].Source", i), m.Source)
		if strings.ContainsAny(m.Source, artifacts.Patterns) { // checkSources would look for another one
			bad.Add("Mounts[%d].Source %q: %w; Podman takes it for a pattern", i, m.Source, ErrUnsupported)
		}
		check(fmt.Sprintf("Mounts[%d].Target", i), m.Target)
		for _, dir := range isolation.PodmanTmpfs() {
			if m.Target != dir && validate.Within(dir, m.Target) {
				bad.Add("Mounts[%d].Target %q: %w; Podman has %q of its own, and would make it in the source", i, m.Target, ErrUnsupported, dir)
				break
			}
		}
	}
}
