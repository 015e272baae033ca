package validate

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// EnginePaths are where engines keep their data and sockets by default. Whoever
// can write there, or connect to such a socket, is root on the host.
var EnginePaths = []string{
	"/var/run/docker.sock", "/run/docker.sock", "/run/docker", "/run/containerd", "/run/podman",
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers",
}

// Source checks the source of the mount with the index i, but not what it leads to,
// and returns it clean, or "".
func (p *FieldErrors) Source(i int, source string) string {
	field := fmt.Sprintf("Mounts[%d].Source", i)
	switch clean := path.Clean(source); {
	case NotText(source) != "":
		p.Add("%s %q %s", field, source, NotText(source))
	case !path.IsAbs(source):
		p.Add("%s %q is not absolute; want a path on the engine's host", field, source)
	case source != clean && source != clean+"/":
		p.Add("%s %q is not clean; write %q", field, source, clean)
	default:
		return clean
	}
	return ""
}

// HostPaths refuses mount sources at, above or below the kernel's file systems
// and the engine's paths. If the engine is on this host, links are resolved and
// anything but a regular file or directory is refused too. A source that is
// absent here is left to the engine, which may see another file system.
func (p *FieldErrors) HostPaths(sources []string, engineHost string, engine []string) {
	refused := slices.Concat(KernelPaths, engine)
	socket, local := localSocket(engineHost)
	if local {
		refused = append(refused, socket)
		for _, r := range slices.Clone(refused) {
			refused = append(refused, resolved(r))
		}
	}
	for i, given := range sources {
		if given == "" {
			continue
		}
		source := given
		if local {
			source = resolved(given)
			if info, err := os.Stat(source); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
				p.Add("Mounts[%d].Source %q is not a regular file or a directory; mount one of these", i, given)
				continue
			}
		}
		for _, r := range refused {
			if Overlap(given, r) || Overlap(source, r) {
				p.Add("Mounts[%d].Source %q would expose %s, and with it the host; mount a data directory instead", i, given, r)
				break
			}
		}
	}
}

// localSocket is the path of the engine's socket if it is on this host.
func localSocket(engineHost string) (string, bool) {
	u, err := url.Parse(engineHost)
	if err != nil || u.Scheme != "unix" {
		return "", false
	}
	return path.Clean(u.Path), true
}

// resolved follows the links of a path as far as it exists here.
func resolved(p string) string {
	if real, err := filepath.EvalSymlinks(p); err == nil {
		return real
	}
	if p == "/" {
		return p
	}
	return path.Join(resolved(path.Dir(p)), path.Base(p))
}
