package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/upload"
	"github.com/synchestra-io/sandbox/isolation"
)

// hostFiles are what the engine's network library writes into /etc for a container on
// network "none": the name localhost has addresses, and no other name has one.
var hostFiles = map[string]string{
	"hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
	"hostname":    isolation.Hostname + "\n",
	"resolv.conf": "nameserver 127.0.0.1\nsearch .\n",
}

// hostVolume is a volume with the host files. No container that runs anything has the
// volume, only its files, read-only. The container through which it was filled never starts,
// and stays: as long as it refers to the volume, that cannot be removed.
type hostVolume struct {
	*run        // whose objects they are
	at   string // the volume's path on the engine's host
	made time.Time
}

// name is that of the volume and of the container.
func (v *hostVolume) name() string { return v.run.name + "-host" }

// isOffline tells whether a container on a network can do without the engine's network
// library, as the runtime brings up the loopback interface by itself. The library takes
// half of the time of a short run on engines before Docker 26, which besides have no ::1 on
// network "none"; on newer ones it takes less time than to make a volume for a single run.
func (r *run) isOffline(network, runtime string) bool {
	return network == noNetwork && !r.engine.Podman && cmp.Or(runtime, r.engine.DefaultRuntime) == usualRuntime &&
		(r.offline != nil || !r.engine.KnowsSubpath)
}

// createOffline is createToStart for a container without a network of the engine's. If another
// client has removed what the Runner keeps for that, it is made again, once.
func (r *run) createOffline(ctx context.Context, name string, config *container.Config, preset isolation.Preset, p plan, image dockerx.Image) error {
	if preset.Namespace == "" { // else it has the other container's
		config = isolation.Offline(config)
	}
	mounts := slices.Clip(preset.Mounts)
	for again := false; ; again = true {
		files, err := r.hostVolume(ctx, image)
		if err != nil {
			return fmt.Errorf("/etc/hosts for network %q: %w", noNetwork, err)
		}
		preset.Mounts = append(mounts, files.mounts(p, r.engine)...)
		err = r.createToStart(ctx, name, config, preset.HostConfig())
		if !dockerx.OutcomeKnown(err) {
			return err
		}
		r.used = files
		lost := files.check(ctx)
		if !errors.Is(lost, dockerx.ErrGone) || again || r.offline == nil {
			return errors.Join(err, lost)
		}
		err = r.offline.forget(ctx, files)
		if err == nil {
			err = r.remove(ctx, name)
		}
		if err == nil { // what the engine made, unless another run refers to it, which comes here, too
			err = r.client.RemoveUnused(ctx, files.name())
		}
		if err != nil && !errdefs.IsConflict(err) {
			return err
		}
	}
}

// hostVolume returns what the Runner keeps, or makes it for this run alone.
func (r *run) hostVolume(ctx context.Context, image dockerx.Image) (*hostVolume, error) {
	if r.offline != nil {
		return r.offline.get(ctx, r, image)
	}
	if r.hosts == nil {
		hosts, err := r.makeHostVolume(ctx, image)
		if err != nil {
			return nil, err
		}
		r.hosts = hosts
	}
	return r.hosts, nil
}

// makeHostVolume makes a volume with the host files, as objects of this run.
func (r *run) makeHostVolume(ctx context.Context, image dockerx.Image) (*hostVolume, error) {
	v := &hostVolume{run: r}
	var err error
	if v.at, err = r.createVolume(ctx, v.name(), nil); err != nil {
		return nil, err
	}
	dir := path.Join("/", v.name())
	config := isolation.Config(image.ID, []string{"never-started"}, nil, "", r.labels, false)
	host := isolation.Staging([]mount.Mount{isolation.Volume(v.name(), dir, r.labels)}, shadowVolumes(image))
	if err := r.createContainer(ctx, v.name(), config, host); err != nil {
		return nil, err
	}
	return v, upload.Tar(ctx, r.client, v.name(), dir, nil, archive.RootFiles(0o444, hostFiles))
}

// check makes sure that the volume is there. In place of a missing one the engine may have made
// an empty one for a container.
func (v *hostVolume) check(ctx context.Context) error {
	filled, err := v.client.Inspect(ctx, v.name())
	if err == nil && filled.Gone {
		err = dockerx.ErrGone
	}
	if err != nil {
		return fmt.Errorf("/etc/hosts for network %q: %w", noNetwork, err)
	}
	return nil
}

// mounts are those of the host files, but for what the caller has mounted there.
func (v *hostVolume) mounts(p plan, engine dockerx.Engine) (mounts []mount.Mount) {
	for _, name := range slices.Sorted(maps.Keys(hostFiles)) {
		target := path.Join("/etc", name)
		switch {
		case p.mounted(target):
		case engine.KnowsSubpath:
			mounts = append(mounts, isolation.VolumeFile(v.name(), name, target, v.labels))
		default:
			mounts = append(mounts, isolation.PartFile(path.Join(v.at, name), target))
		}
	}
	return mounts
}
