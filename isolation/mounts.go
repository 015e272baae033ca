package isolation

import (
	"maps"
	"strings"

	"github.com/docker/docker/api/types/mount"
)

// Bind returns a bind mount of host data. The engine refuses a source that does not
// exist.
func Bind(source, target string, readOnly bool) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: readOnly}
}

// Part returns a writable mount of one directory of a volume, named by its path on
// the engine's host. The engine requires the propagation rslave for mounts from its
// own data: what the host mounts there would appear in the container, but never the
// other way round.
func Part(source, target string) mount.Mount {
	return mount.Mount{
		Type: mount.TypeBind, Source: source, Target: target,
		BindOptions: &mount.BindOptions{Propagation: mount.PropagationRSlave},
	}
}

// PartFile returns a read-only mount of one file of a volume, named as Part names a
// directory.
func PartFile(source, target string) mount.Mount {
	m := Part(source, target)
	m.ReadOnly = true
	return m
}

// VolumeFile returns a read-only mount of one file of a named volume, for engines with API
// version 1.45 (Docker 26) or newer. They refuse a link in its place. If the volume no longer
// exists, the engine creates it again, with labels, and cannot start the container.
func VolumeFile(name, file, target string, labels map[string]string) mount.Mount {
	m := Volume(name, target, labels)
	m.ReadOnly, m.VolumeOptions.Subpath = true, file
	return m
}

// Volume returns a writable mount of a named volume. If the volume no longer exists,
// the engine creates it again, with labels.
func Volume(name, target string, labels map[string]string) mount.Mount {
	return mount.Mount{
		Type: mount.TypeVolume, Source: name, Target: target,
		VolumeOptions: &mount.VolumeOptions{Labels: labels},
	}
}

// hardenedMounts copies binds and volumes with the flags that no caller decides.
// Other types have no rule here and are left out.
func hardenedMounts(mounts []mount.Mount) []mount.Mount {
	hardened := make([]mount.Mount, 0, len(mounts))
	for _, m := range mounts {
		c := mount.Mount{Type: m.Type, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
		switch m.Type {
		case mount.TypeBind:
			// A recursive read-only bind is writable below a submount.
			c.BindOptions = &mount.BindOptions{NonRecursive: true, Propagation: mount.PropagationRPrivate}
			if m.BindOptions != nil && m.BindOptions.Propagation == mount.PropagationRSlave {
				c.BindOptions.Propagation = mount.PropagationRSlave
			}
		case mount.TypeVolume:
			c.VolumeOptions = &mount.VolumeOptions{NoCopy: true}
			if m.VolumeOptions != nil {
				c.VolumeOptions.Labels = maps.Clone(m.VolumeOptions.Labels)
				c.VolumeOptions.Subpath = m.VolumeOptions.Subpath
			}
		default:
			continue
		}
		hardened = append(hardened, c)
	}
	return hardened
}

// ownedTmpfs adds the options that no caller decides; the last of two
// contradicting options counts. The owner is needed beside mode=, which runc
// ignores when the directory exists in the image.
func ownedTmpfs(tmpfs map[string]string) map[string]string {
	owned := make(map[string]string, len(tmpfs))
	for path, options := range tmpfs {
		owned[path] = strings.TrimPrefix(options+",nosuid,nodev,uid=65532,gid=65532", ",")
	}
	return owned
}
