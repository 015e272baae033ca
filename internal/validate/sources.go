package validate

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// EnginePaths are where container engines keep their data and sockets by default; "*"
// is any name. Whoever can write there, or connect to such a socket, is root on the
// host, or the user whose rootless engine it is.
var EnginePaths = []string{
	"/run/docker.sock", "/run/docker", "/run/containerd", "/run/podman", "/run/crio", "/run/buildkit", "/run/k3s",
	"/run/cri-dockerd.sock", "/run/dockershim.sock", "/run/snap.docker",
	"/run/user/*/docker.sock", "/run/user/*/docker", "/run/user/*/containerd", "/run/user/*/podman", "/run/user/*/buildkit",
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/buildkit", "/var/lib/rancher", "/var/snap/docker",
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

// HostPaths refuses mount sources at, above or below the kernel's file systems and
// the engine's paths, by either name of /run. These rules hold wherever the engine is.
// If it is on this host, links are resolved and anything but a regular file or
// directory is refused too. For any other engine nothing is looked up here: it sees
// another file system, and what links lead to there is not known. A source that is
// absent here is left to the engine.
func (p *FieldErrors) HostPaths(sources []string, engineHost string, engine []string) {
	refused := slices.Concat(KernelPaths, engine)
	socket, local := localSocket(engineHost)
	if local {
		refused = append(refused, socket)
		for _, r := range slices.Clone(refused) {
			refused = append(refused, resolved(r))
		}
	}
	refused = append(refused, otherNames(refused)...)
	for i, given := range sources {
		if given == "" {
			continue
		}
		at := func(source string) int {
			return slices.IndexFunc(refused, func(place string) bool { return exposes(source, place) })
		}
		place, source := at(given), given // the caller's own name first, for the error
		if local {
			source = resolved(given)
		}
		if place < 0 {
			place = at(source)
		}
		if place >= 0 {
			p.Add("Mounts[%d].Source %q would expose %s, and with it the host; mount a data directory instead", i, given, refused[place])
		} else if local && odd(source) {
			p.Add("Mounts[%d].Source %q is not a regular file or a directory; mount one of these", i, given)
		}
	}
}

// odd tells whether something exists at a path that is neither a file nor a directory.
func odd(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && !info.Mode().IsRegular()
}

// NestedSources refuses a source of a mount that is inside one of those that a Setup can
// write to: it could put a link there, which the engine would follow on its host. Links are
// resolved as HostPaths does.
func (p *FieldErrors) NestedSources(sources, writable []string, engineHost string) {
	_, local := localSocket(engineHost)
	names := func(source string) []string {
		list := []string{source}
		if local {
			list = append(list, hops(source)...)
		}
		return append(list, otherNames(list)...)
	}
	inside := func(a, b string) bool {
		return slices.ContainsFunc(names(a), func(a string) bool {
			return slices.ContainsFunc(names(b), func(b string) bool { return a != b && Within(a, b) })
		})
	}
	for i, source := range sources {
		for _, outer := range writable {
			if source != "" && outer != "" && inside(source, outer) {
				p.Add("Mounts[%d].Source %q is inside the source %q, which Setup can write to; make that mount read-only", i, source, outer)
				break
			}
		}
	}
}

// hops are the names that a path has while its links are followed one by one, as far as it
// exists here: a link on the way can be in a directory that neither end is in.
func hops(p string) (names []string) {
	for range maxLinks {
		next := p
		for at := range len(p) + 1 {
			if at > 0 && (at == len(p) || p[at] == '/') {
				if target, err := os.Readlink(p[:at]); err == nil {
					if !path.IsAbs(target) {
						target = path.Join(path.Dir(p[:at]), target)
					}
					next = path.Join(target, p[at:])
					break
				}
			}
		}
		if next == p {
			return names
		}
		p = next
		names = append(names, p)
	}
	return names
}

// maxLinks is how many links the kernel follows on one path.
const maxLinks = 40

// otherNames are the second names of paths in /run or /var/run, one of which is a link
// to the other on practically every host.
func otherNames(paths []string) (others []string) {
	for _, p := range paths {
		if Within(p, "/run") {
			others = append(others, "/var"+p)
		} else if Within(p, "/var/run") {
			others = append(others, strings.TrimPrefix(p, "/var"))
		}
	}
	return others
}

// exposes tells whether source is place, above it or below it. A "*" in place is any
// name.
func exposes(source, place string) bool {
	names := func(p string) []string { return strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) }
	s, p := names(source), names(place)
	for i := range min(len(s), len(p)) {
		if s[i] != p[i] && p[i] != "*" {
			return false
		}
	}
	return true
}

// localSocket is the path of the engine's socket if it is on this host. As the SDK
// does, it takes what follows the scheme for the path as it is.
func localSocket(engineHost string) (string, bool) {
	socket, local := strings.CutPrefix(engineHost, "unix://")
	if !local {
		return "", false
	}
	if absolute, err := filepath.Abs(socket); err == nil {
		socket = absolute
	}
	return path.Clean(socket), true
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
