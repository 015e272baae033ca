package dockerx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/system"
)

// builtinAPI is the first API version whose engines (23.0) take
// "seccomp=builtin"; older ones take it for a profile's text.
const builtinAPI = "1.42"

// subpathAPI is the first API version (26.0) with parts of volumes. An engine that is asked
// in an older one mounts the whole volume.
const subpathAPI = "1.45"

// Limits are the kinds of limits that an engine enforces. It accepts the others
// all the same, with a warning.
type Limits struct{ CPU, Memory, PIDs bool }

func limitsOf(info system.Info) Limits {
	if info.CgroupDriver == "none" {
		return Limits{} // whatever it says: rootless without a delegated cgroup
	}
	return Limits{CPU: info.CPUCfsQuota && info.CPUCfsPeriod, Memory: info.MemoryLimit, PIDs: info.PidsLimit}
}

func runtimesOf(info system.Info) map[string][]string {
	runtimes := map[string][]string{}
	for name, r := range info.Runtimes {
		runtimes[name] = r.Args
	}
	return runtimes
}

// EnforcedBy tells which limits are enforced on a container that a runtime runs,
// "" = the default one.
func (e Engine) EnforcedBy(runtime string) Limits {
	if runtime == "" {
		runtime = e.DefaultRuntime
	}
	if slices.Contains(e.Runtimes[runtime], "--ignore-cgroups") { // gVisor's flag
		return Limits{}
	}
	return e.Enforces
}

// OwnersSeccomp tells whether the engine's owner chose a profile, which a
// container's must not replace.
func (e Engine) OwnersSeccomp() bool {
	return !slices.Contains([]string{"builtin", "default", "unconfined"}, e.Seccomp)
}

// takesProfile tells whether "seccomp=" takes a profile's text.
func takesProfile(version string) bool {
	var major int
	_, err := fmt.Sscanf(version, "%d.", &major)
	return err == nil && major >= 19
}

// seccompOf finds the profile in lines such as "name=seccomp,profile=builtin".
func seccompOf(options []string) string {
	for _, option := range options {
		if name, profile, _ := strings.Cut(option, ",profile="); name == "name=seccomp" {
			return profile
		}
	}
	return ""
}
