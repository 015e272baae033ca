package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// environ is the container's environment beside the image's own.
func (p plan) environ(home string, imageEnv []string) []string {
	env := maps.Clone(p.env)
	if env == nil {
		env = map[string]string{}
	}
	for name, value := range toolchainEnv(home, imageEnv, p.env) {
		if _, set := env[name]; !set {
			env[name] = value
		}
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// toolchainEnv is what toolchains need under a read-only root filesystem, over
// the image's ENV and under Job.Env.
func toolchainEnv(home string, imageEnv []string, jobEnv map[string]string) map[string]string {
	if own, ok := jobEnv["HOME"]; ok {
		home = own
	}
	if home == "" {
		return nil
	}
	// The user has no passwd entry, so HOME would be "/", where go, npm and pip
	// cannot make their caches.
	env := map[string]string{"HOME": home}
	_, gopath := jobEnv["GOPATH"]
	sets := func(v string) bool { return strings.HasPrefix(v, "GOPATH=") }
	if !gopath && slices.ContainsFunc(imageEnv, sets) {
		// golang's images set GOPATH=/go, whose pkg/mod is read-only here.
		env["GOMODCACHE"] = home + "/go/pkg/mod"
	}
	return env
}
