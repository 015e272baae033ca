// Package isolation is the single source of truth for the hardening of every
// container that sandbox creates ("profile B"). Nothing else in this module writes
// a field of the engine's HostConfig.
//
// Settings that do not depend on the caller are constants in [Preset.HostConfig]
// and [Config]. A [Preset] contains only what may differ from run to run, and none
// of its fields can override one of those constants.
package isolation

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-connections/nat"
)

// NonRootUser is the user and group, "uid:gid", of every process in a container.
// It is numeric, so that an image's passwd file cannot map it to root and its group
// file cannot add groups to it. There is one exception: if an image has a group
// named "65532", runc before 1.3.0 adds that group.
const NonRootUser = "65532:65532"

// UID and GID are the numbers in [NonRootUser].
const (
	UID = 65532
	GID = 65532
)

// shmSize is the engine's own default for /dev/shm, pinned so that a daemon
// configured otherwise does not change it. It counts against MemoryBytes.
const shmSize = 64 << 20

// oomScoreAdj is half of what there is, so that one hog among jobs still stands out.
const oomScoreAdj = 500

// Hostname is the name of the host in a container that is [Offline].
const Hostname = "sandbox"

// Preset is the variable part of a hardened container's configuration. The zero
// value is a container without resource limits and without a network.
type Preset struct {
	// NanoCPUs is the CPU quota in billionths of a CPU; 0 = unlimited.
	NanoCPUs int64
	// MemoryBytes caps RAM in bytes and turns swap off; 0 = unlimited.
	MemoryBytes int64
	// PidsLimit caps the number of processes and threads, including the init;
	// 0 = unlimited.
	PidsLimit int64
	// NetworkMode is "none", "bridge" or the name of a user-defined network;
	// "" = "none". Every mode that would join another namespace ("host",
	// "container:…", "ns:…", "default") becomes "none", too; see Namespace.
	NetworkMode string
	// Tmpfs maps paths in the container to tmpfs mount options (size=, nr_inodes=,
	// mode=, exec); nil = none. The owner 65532:65532, nosuid and nodev are always
	// added.
	Tmpfs map[string]string
	// AutoRemove tells the engine to remove the container when it exits;
	// false = keep it. A run never sets it, since artifacts are read after the exit.
	AutoRemove bool
	// Mounts are bind mounts and volumes; nil = none. A bind mount is always
	// non-recursive, and its propagation is private unless it is rslave. A volume is
	// never filled from the image. Mounts of other types are left out.
	Mounts []mount.Mount
	// Runtime is the name of the OCI runtime; "" = the engine's default.
	Runtime string
	// FileBytes caps the size of a single file, in bytes; 0 = unlimited.
	FileBytes int64
	// StrictSeccomp sends a seccomp profile with the container: Docker's newest,
	// restricted to sockets of four families and the protocols that programs need:
	// UNIX; IPv4 and IPv6 with TCP, MPTCP, UDP and ICMP; netlink with the route
	// protocol. Pairs of sockets are UNIX only. The engines' own profiles allow nearly
	// all families and protocols, and through socketpair and socketcall all families.
	// Not every engine accepts the text of a profile. On systems other than
	// Linux this package has no profile, and BuiltinSeccomp decides.
	StrictSeccomp bool
	// BuiltinSeccomp asks for the engine's built-in seccomp profile, whatever
	// profile the engine was started with; false = the one it was started with.
	// Engines before version 23 do not support it.
	BuiltinSeccomp bool
	// Podman puts the configuration into the words of Podman's Docker-compatible service.
	// StrictSeccomp and BuiltinSeccomp do nothing then.
	Podman bool
	// SeccompFile is for Podman the path, on the engine's host, of a file with
	// [SeccompProfile]; "" = the engine's own profile.
	SeccompFile string
	// InternalNetwork tells that the engine made the network NetworkMode as internal, so
	// that names on it have addresses, and no others: engines before 23.0.11, 25.0.5 and
	// 26.0.0 ask the host's name servers for those (CVE-2024-29018).
	InternalNetwork bool
	// Namespace is the full ID of a container whose network namespace this one joins, in place
	// of a network of its own; "" = it does not, and anything else than an ID is
	// network "none". It is the one field that can open more than it says: that container
	// must have nothing but the loopback interface, such as one that is [Offline]. A run sets
	// it for what the engine has confirmed to be so. With Podman it is network "none".
	Namespace string
}

// SeccompProfile is the text of the profile that StrictSeccomp sends, "" on systems other
// than Linux.
func SeccompProfile() string { return strictSeccomp() }

// HostConfig returns the hardened configuration. Each call returns a new value,
// because the engine's client edits the value it is given.
func (p Preset) HostConfig() *container.HostConfig {
	initProcess := true
	h := &container.HostConfig{
		// No byte of output on the engine's disk: it is read by attach only.
		LogConfig:     container.LogConfig{Type: "none"},
		NetworkMode:   container.NetworkMode(hardenedNetwork(p.NetworkMode)),
		PortBindings:  nat.PortMap{},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		AutoRemove:    p.AutoRemove,

		CapDrop:        []string{"ALL"},
		SecurityOpt:    p.securityOptions(),
		ReadonlyRootfs: true,
		// The init reaps orphans and turns a missing command into 127 or 126.
		Init:         &initProcess,
		IpcMode:      container.IPCModePrivate,
		CgroupnsMode: container.CgroupnsModePrivate,
		ShmSize:      shmSize,
		// On a host without memory the kernel ends jobs before anything else.
		OomScoreAdj: oomScoreAdj,
		// MaskedPaths and ReadonlyPaths stay nil: a list of ours would replace the
		// engine's, which is newer. To add to it, one would have to read it from a
		// container and to make that anew, and what an engine's upgrade adds would
		// be missed until the program is started again.

		Tmpfs:     ownedTmpfs(p.Tmpfs),
		Mounts:    hardenedMounts(p.Mounts),
		Runtime:   p.Runtime,
		Resources: p.resources(),
	}
	if p.Namespace != "" {
		h.NetworkMode = "none"
		if containerID.MatchString(p.Namespace) && !p.Podman {
			h.NetworkMode = container.NetworkMode("container:" + p.Namespace)
		}
	}
	if h.NetworkMode.IsNone() || p.InternalNetwork && !p.Podman {
		// Without these, resolv.conf has the host's name servers and domains, of
		// no use there, but to tell where the host is; and the engine's own name server,
		// on an internal network, asks those of the host.
		h.DNS, h.DNSSearch = []string{"127.0.0.1"}, []string{"."}
	}
	if p.Podman {
		forPodman(h)
	}
	return h
}

func (p Preset) securityOptions() []string {
	options := []string{"no-new-privileges"}
	switch {
	case p.Podman && p.SeccompFile != "": // it takes the name of a file there
		options = append(options, "seccomp="+p.SeccompFile)
	case p.Podman:
	case p.StrictSeccomp && strictSeccomp() != "":
		options = append(options, "seccomp="+strictSeccomp())
	case p.BuiltinSeccomp:
		options = append(options, "seccomp=builtin")
	}
	return options
}

func (p Preset) resources() container.Resources {
	r := container.Resources{
		NanoCPUs: p.NanoCPUs,
		Memory:   p.MemoryBytes,
		// Equal to Memory means no swap; 0 would mean as much swap again.
		MemorySwap: p.MemoryBytes,
		// No nproc: the kernel counts it per uid, over all containers.
		Ulimits: []*container.Ulimit{
			// What crashes leaves no image of its memory.
			{Name: "core", Soft: 0, Hard: 0},
			// The engines' own limits differ by a factor of a thousand, and some
			// programs close every file that they could have open. The hard limit is
			// the one that kernels start with: an engine may not be allowed more.
			{Name: "nofile", Soft: 1024, Hard: 4096},
		},
	}
	if p.FileBytes > 0 {
		// A sparse file would have any size on any file system.
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: "fsize", Soft: p.FileBytes, Hard: p.FileBytes})
	}
	if p.PidsLimit > 0 {
		limit := p.PidsLimit
		r.PidsLimit = &limit
	}
	return r
}

// Staging returns the configuration of the container through which volumes are
// filled. That container never runs, so it needs no network and no limits. It differs
// from the hardened preset in one flag: its root filesystem is writable, because the
// engine refuses an upload to "/" otherwise.
func Staging(mounts []mount.Mount, tmpfs map[string]string) *container.HostConfig {
	h := Preset{NetworkMode: "none", Mounts: mounts, Tmpfs: tmpfs}.HostConfig()
	h.ReadonlyRootfs = false
	return h
}

// Config returns the portable half of a container's configuration. cmd follows the
// image's ENTRYPOINT; workDir "" means the image's WORKDIR; env and labels override
// the image's. The image's USER and HEALTHCHECK never apply. If stdin is true, the
// first client that attaches is the command's standard input.
func Config(image string, cmd, env []string, workDir string, labels map[string]string, stdin bool) *container.Config {
	return &container.Config{
		Image:        image,
		User:         NonRootUser,
		Cmd:          slices.Clone(cmd),
		Env:          slices.Clone(env),
		WorkingDir:   workDir,
		Labels:       maps.Clone(labels),
		AttachStdin:  stdin,
		OpenStdin:    stdin,
		StdinOnce:    stdin,
		AttachStdout: true,
		AttachStderr: true,
		Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}},
	}
}

// Offline changes c to that of a container on network "none" without the engine's network
// library, which would need time for a network that carries nothing: the runtime makes the
// same empty network namespace. What that library also makes, /etc/hosts, /etc/resolv.conf
// and /etc/hostname, must be mounted if the command needs it; the host's name is [Hostname].
// It returns c.
func Offline(c *container.Config) *container.Config {
	c.NetworkDisabled, c.Hostname = true, Hostname
	return c
}

// Program returns the portable half of the configuration of a container that runs
// only the file at path and nothing from the image, not even its ENTRYPOINT.
func Program(image, path string, labels map[string]string) *container.Config {
	c := Config(image, nil, nil, "/", labels, false)
	c.Entrypoint = []string{path}
	return c
}

var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// hardenedNetwork maps every mode that joins another namespace to "none".
func hardenedNetwork(mode string) string {
	switch {
	case mode == "", mode == "host", mode == "default", strings.Contains(mode, ":"):
		return "none"
	default:
		return mode
	}
}
