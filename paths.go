package sandbox

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// kernelPaths are where the kernel's own file systems are.
var kernelPaths = []string{"/proc", "/sys", "/dev"}

// enginePaths are where engines keep their data and sockets by default. To
// write there, or to speak to such a socket, is to be root on the host.
var enginePaths = []string{
	"/var/run/docker.sock", "/run/docker.sock", "/run/docker", "/run/containerd", "/run/podman",
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers",
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// within tells whether path is dir or below it. Both are clean and absolute.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

func withinAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return within(path, dir) })
}

// overlap tells whether one of the two is at or below the other.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

// notText says why a value cannot be handed to the engine, or "".
func notText(value string) string {
	switch {
	case strings.ContainsRune(value, 0):
		return "holds a NUL byte; remove it"
	case !utf8.ValidString(value):
		return "is not valid UTF-8, and the engine's API carries nothing else; rename it"
	}
	return ""
}

// path checks an absolute path in the container and returns it clean, or "".
func (p *problems) path(field, value string) string {
	clean := path.Clean(value)
	switch {
	case notText(value) != "":
		p.add("%s %q %s", field, value, notText(value))
	case !path.IsAbs(value):
		p.add(`%s %q is not absolute; want a path such as "/workspace"`, field, value)
	case clean == "/":
		p.add(`%s %q is the root directory; want a path below it, such as "/workspace"`, field, value)
	case value != clean && value != clean+"/":
		p.add("%s %q is not clean; write %q", field, value, clean)
	case withinAny(clean, kernelPaths):
		p.add("%s %q is in one of %s, which belong to the kernel; want another path", field, value, strings.Join(kernelPaths, ", "))
	default:
		return clean
	}
	return ""
}

func (p *problems) optionalPath(field, value string) string {
	if value == "" {
		return ""
	}
	return p.path(field, value)
}

// mounts checks all of a mount but what its source leads to.
func (p *problems) mounts(mounts []Mount) []Mount {
	clean := make([]Mount, 0, len(mounts))
	for i, m := range mounts {
		target, source := indexed("Mounts", i)+".Target", indexed("Mounts", i)+".Source"
		m.Target = p.path(target, m.Target)
		for k, other := range clean {
			switch {
			case m.Target == "" || other.Target == "" || !overlap(m.Target, other.Target):
			case m.Target == other.Target:
				p.add("%s %q is also Mounts[%d].Target; remove one", target, m.Target, k)
			default:
				p.add("%s %q overlaps Mounts[%d].Target %q; a mount cannot hold another", target, m.Target, k, other.Target)
			}
		}
		switch c := path.Clean(m.Source); {
		case notText(m.Source) != "":
			p.add("%s %q %s", source, m.Source, notText(m.Source))
			m.Source = ""
		case !path.IsAbs(m.Source):
			p.add("%s %q is not absolute; want a path on the engine's host", source, m.Source)
			m.Source = ""
		case m.Source != c && m.Source != c+"/":
			p.add("%s %q is not clean; write %q", source, m.Source, c)
			m.Source = ""
		default:
			m.Source = c
		}
		clean = append(clean, m)
	}
	return clean
}

// sources refuses mount sources at, above or below the kernel's file systems
// and the engine's paths. If the engine is on this host, links are resolved and
// anything but a regular file or directory is refused too. A source that is
// absent here is left to the engine, which may see another file system.
func (p *problems) sources(mounts []Mount, engineHost string, engine []string) {
	refused := slices.Concat(kernelPaths, engine)
	socket, local := localSocket(engineHost)
	if local {
		refused = append(refused, socket)
		for _, r := range slices.Clone(refused) {
			refused = append(refused, resolved(r))
		}
	}
	for i, m := range mounts {
		if m.Source == "" {
			continue
		}
		source := m.Source
		if local {
			source = resolved(m.Source)
			if info, err := os.Stat(source); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
				p.add("Mounts[%d].Source %q is neither a regular file nor a directory; mount one of these", i, m.Source)
				continue
			}
		}
		for _, r := range refused {
			if overlap(m.Source, r) || overlap(source, r) {
				p.add("Mounts[%d].Source %q would hand out %s, and with it the host; mount a directory of data", i, m.Source, r)
				break
			}
		}
	}
}

// coveredInput refuses a mount over the directory that the input goes to.
func (p *problems) coveredInput(inputDir string, mounts []Mount) {
	for i, m := range mounts {
		if m.Target != "" && within(inputDir, m.Target) {
			p.add("InputDir %q is in Mounts[%d].Target %q; choose another directory for one of them", inputDir, i, m.Target)
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
