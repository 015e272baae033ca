package validate

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// KernelPaths are where the kernel's own file systems are.
var KernelPaths = []string{"/proc", "/sys", "/dev"}

// Within tells whether path is dir or below it. Both are clean and absolute.
func Within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// WithinAny tells whether path is in one of dirs, or one of them.
func WithinAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return Within(path, dir) })
}

// Overlap tells whether one of the two is at or below the other.
func Overlap(a, b string) bool { return Within(a, b) || Within(b, a) }

// Path checks an absolute path in the container and returns it clean, or "".
func (p *FieldErrors) Path(field, value string) string {
	clean := path.Clean(value)
	switch {
	case NotText(value) != "":
		p.Add("%s %q %s", field, value, NotText(value))
	case !path.IsAbs(value):
		p.Add(`%s %q is not absolute; want a path such as "/workspace"`, field, value)
	case clean == "/":
		p.Add(`%s %q is the root directory; want a path below it, such as "/workspace"`, field, value)
	case value != clean && value != clean+"/":
		p.Add("%s %q is not clean; write %q", field, value, clean)
	case WithinAny(clean, KernelPaths):
		p.Add("%s %q is inside a kernel file system (%s); choose another path", field, value, strings.Join(KernelPaths, ", "))
	default:
		return clean
	}
	return ""
}

// OptionalPath is path for a field that may be empty.
func (p *FieldErrors) OptionalPath(field, value string) string {
	if value == "" {
		return ""
	}
	return p.Path(field, value)
}

// Collect checks Job.Collect and returns it clean.
func (p *FieldErrors) Collect(paths []string) []string {
	var clean []string
	seen := map[string]bool{}
	for i, path := range paths {
		path = p.Path(fmt.Sprintf("Collect[%d]", i), path)
		if path != "" && seen[path] {
			p.Add("Collect[%d] %q is listed twice; remove one", i, path)
		}
		seen[path] = true
		clean = append(clean, path)
	}
	return clean
}

// Inside refuses paths of Collect that are not in the input directory. "" is one that was refused.
func (p *FieldErrors) Inside(paths []string, dir string) {
	for i, path := range paths {
		if path != "" && !Within(path, dir) {
			p.Add("Collect[%d] %q is outside of InputDir %q; OutputTar names files relative to that, so collect below it, or leave OutputTar out", i, path, dir)
		}
	}
}

// Targets checks the targets of all mounts and returns them clean; those that are no
// paths are "".
func (p *FieldErrors) Targets(targets []string) []string {
	var clean []string
	var order []int // with every directory right before what is below it
	for i, target := range targets {
		clean = append(clean, p.Path(fmt.Sprintf("Mounts[%d].Target", i), target))
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return slices.Compare(strings.Split(clean[a], "/"), strings.Split(clean[b], "/"))
	})
	above := -1
	for _, i := range order {
		switch {
		case clean[i] == "":
		case above < 0 || !Within(clean[i], clean[above]):
			above = i
		case clean[i] == clean[above]:
			p.Add("Mounts[%d].Target %q is also Mounts[%d].Target; remove one", i, clean[i], above)
		default:
			p.Add("Mounts[%d].Target %q overlaps Mounts[%d].Target %q; one mount cannot contain another",
				max(i, above), clean[max(i, above)], min(i, above), clean[min(i, above)])
		}
	}
	return clean
}

// InputDir refuses an input directory that a mount's target would cover.
func (p *FieldErrors) InputDir(dir string, targets []string) {
	for i, target := range targets {
		if target != "" && Within(dir, target) {
			p.Add("InputDir %q is covered by Mounts[%d].Target %q; choose another directory for one of them", dir, i, target)
		}
	}
}
