package validate

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// engineHosts are addresses of every kind that an engine can have. On this machine
// nothing answers at any of them.
var engineHosts = []string{
	"unix:///no/such/engine.sock", "tcp://10.0.0.1:2376", "tcp://127.0.0.1:2375", "http://engine:80", "https://engine",
	"ssh://me@engine", "npipe:////./pipe/docker_engine", "fd://", "", ":", "unix://%zz",
}

// refusedSources are where engines have their sockets and data, what is above and
// below those, and the same places by the other name of /run.
var refusedSources = []string{
	"/", "/var", "/run", "/var/run", "/var/lib",
	"/run/docker.sock", "/var/run/docker.sock", "/run/docker", "/var/run/docker", "/run/docker/plugins", "/var/run/docker/plugins",
	"/run/containerd", "/var/run/containerd", "/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock",
	"/run/podman", "/var/run/podman", "/run/podman/podman.sock", "/var/run/podman/podman.sock",
	"/run/crio/crio.sock", "/var/run/crio", "/run/buildkit", "/run/cri-dockerd.sock", "/var/run/dockershim.sock", "/run/k3s/containerd",
	"/run/user", "/var/run/user", "/run/user/1000", "/var/run/user/1000", "/run/user/1000/docker.sock", "/run/user/0/podman/podman.sock",
	"/var/run/user/1000/docker", "/run/user/1000/containerd/x", "/run/snap.docker", "/var/snap/docker/common",
	"/var/lib/docker", "/var/lib/docker/volumes/x", "/var/lib/containerd", "/var/lib/containers/storage",
	"/proc", "/proc/1/root", "/sys/fs/cgroup", "/dev/sda",
}

var acceptedSources = []string{
	"/srv", "/srv/run/docker", "/run/mydata", "/var/run/mydata", "/run/dockerfiles", "/var/running", "/running", "/var/lib/mydata",
	"/run/user/1000/mydata", "/var/run/user/1000/data", "/home/me/src", "/etc/ssl", "/no/such/directory",
}

// The rules do not depend on how the engine is reached.
func TestSourcesByEveryKindOfAddress(t *testing.T) {
	for _, host := range engineHosts {
		t.Run(host, func(t *testing.T) {
			for _, source := range refusedSources {
				var bad FieldErrors
				bad.HostPaths([]string{"", source}, host, EnginePaths)
				require.Len(t, bad, 1, "%s", source)
				require.ErrorContains(t, bad[0], `Mounts[1].Source "`+source+`"`)
				require.ErrorContains(t, bad[0], "mount a data directory instead")
			}
			var bad FieldErrors
			bad.HostPaths(acceptedSources, host, EnginePaths)
			require.NoError(t, bad.Err())
		})
	}
}

// The engine's own data and socket have two names, too, whichever it reports.
func TestSourcesOfThisEngine(t *testing.T) {
	for _, host := range engineHosts {
		for _, data := range []string{"/run/engine/data", "/var/run/engine/data"} {
			for _, source := range []string{"/run/engine", "/var/run/engine", "/run/engine/data/volumes", "/var/run/engine/data/volumes"} {
				var bad FieldErrors
				bad.HostPaths([]string{source}, host, []string{data})
				require.Len(t, bad, 1, "%s at %s, data in %s", source, host, data)
			}
		}
	}
	for _, socket := range []string{"/run/mine/engine.sock", "/var/run/mine/engine.sock", "/run/mine/a%20b.sock"} {
		for _, source := range []string{"/run/mine", "/var/run/mine", socket} {
			var bad FieldErrors
			bad.HostPaths([]string{source}, "unix://"+socket, nil)
			require.Len(t, bad, 1, "%s, socket %s", source, socket)
		}
	}
}

// What is on this machine decides only for an engine on this machine: a remote one has
// another file system, and a look at a path here can hang, or mount something.
func TestSourcesAreNotLookedUpForARemoteEngine(t *testing.T) {
	dir := t.TempDir()
	link, socket := filepath.Join(dir, "link"), filepath.Join(dir, "x.sock")
	require.NoError(t, os.Symlink("/proc", link))
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	for _, host := range engineHosts {
		var bad FieldErrors
		bad.HostPaths([]string{link, socket}, host, EnginePaths)
		if strings.HasPrefix(host, "unix://") {
			require.Len(t, bad, 2, host)
		} else {
			require.Empty(t, bad, host)
		}
	}
}

// The engine's socket is one that exists, on most machines. What is wrong with it is that.
func TestSourceThatIsTheEnginesSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	for host, want := range map[string]string{
		"unix://" + socket: "would expose " + socket, "unix:///no/such/engine.sock": "is not a regular file or a directory",
	} {
		var bad FieldErrors
		bad.HostPaths([]string{socket}, host, EnginePaths)
		require.Len(t, bad, 1)
		require.ErrorContains(t, bad[0], want)
	}
}
