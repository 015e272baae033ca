package isolation

import (
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// podmanTmpfs are directories that Podman makes writable below a read-only root
// filesystem, without a size, unless something is mounted there. In the last one it has
// the host's subscriptions, if it is so configured.
var podmanTmpfs = []string{"/run", "/tmp", "/var/tmp", "/run/secrets"}

// PodmanTmpfs lists the directories that are an empty, read-only tmpfs for Podman, unless a
// [Preset] has something else there.
func PodmanTmpfs() []string { return slices.Clone(podmanTmpfs) }

// forPodman puts a configuration into Podman's words. Its tmpfs knows neither an owner
// nor a number of inodes, and copies what the image has at the path unless it is told not
// to. So every user may write to a writable directory; a container has but one.
func forPodman(h *container.HostConfig) {
	for path, options := range h.Tmpfs {
		h.Tmpfs[path] = strings.Join(append(podmanOptions(options), "mode=1777", "nosuid", "nodev", "notmpcopyup"), ",")
	}
	if h.PidsLimit == nil {
		unlimited := int64(-1) // it has a default otherwise
		h.PidsLimit = &unlimited
	}
	for _, path := range podmanTmpfs {
		_, tmpfs := h.Tmpfs[path]
		if !tmpfs && !slices.ContainsFunc(h.Mounts, func(m mount.Mount) bool { return m.Target == path }) {
			h.Tmpfs[path] = "ro,size=4096,mode=0755,nosuid,nodev,noexec,notmpcopyup"
		}
	}
}

// podmanOptions are the options that Podman knows, without those that it is given in any
// case: it refuses an option that comes twice.
func podmanOptions(options string) (known []string) {
	for option := range strings.SplitSeq(options, ",") {
		switch name, _, _ := strings.Cut(option, "="); name {
		case "exec", "size":
			known = append(known, option)
		}
	}
	return known
}
