package sandbox

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// kernelPaths are where the kernel's own file systems are.
var kernelPaths = []string{"/proc", "/sys", "/dev"}

// within tells whether path is dir or below it. Both are clean and absolute.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

func withinAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return within(path, dir) })
}

// overlap tells whether one of the two is at or below the other.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

// path checks an absolute path in the container and returns it clean, or "".
func (p *fieldErrors) path(field, value string) string {
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

// optionalPath is path for a field that may be empty.
func (p *fieldErrors) optionalPath(field, value string) string {
	if value == "" {
		return ""
	}
	return p.path(field, value)
}

// collect checks Job.Collect and returns it clean.
func (p *fieldErrors) collect(paths []string) []string {
	var clean []string
	for i, path := range paths {
		path = p.path(fmt.Sprintf("Collect[%d]", i), path)
		if path != "" && slices.Contains(clean, path) {
			p.add("Collect[%d] %q is there twice; remove one", i, path)
		}
		clean = append(clean, path)
	}
	return clean
}

// target checks the target of the mount after those of others, and returns it clean,
// or "".
func (p *fieldErrors) target(target string, others []string) string {
	field := fmt.Sprintf("Mounts[%d].Target", len(others))
	target = p.path(field, target)
	for k, other := range others {
		switch {
		case target == "" || other == "" || !overlap(target, other):
		case target == other:
			p.add("%s %q is also Mounts[%d].Target; remove one", field, target, k)
		default:
			p.add("%s %q overlaps Mounts[%d].Target %q; a mount cannot hold another", field, target, k, other)
		}
	}
	return target
}

// inputDir refuses an input directory that a mount's target would cover.
func (p *fieldErrors) inputDir(dir string, targets []string) {
	for i, target := range targets {
		if target != "" && within(dir, target) {
			p.add("InputDir %q is in Mounts[%d].Target %q; choose another directory for one of them", dir, i, target)
		}
	}
}
