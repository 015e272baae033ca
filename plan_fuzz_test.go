package sandbox

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/distribution/reference"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/validate"
)

// FuzzPlan makes jobs of any texts. What is accepted is safe to hand to an engine:
// clean absolute paths outside the kernel's file systems, text without NUL, an
// image reference that parses, a network from the closed set.
func FuzzPlan(f *testing.F) {
	f.Add("golang:1.26", "go", "HOME", "/tmp", "/workspace", "/srv/data", "/data", "none")
	f.Add("sha256:"+strings.Repeat("a", 64), "true", "A=B", "x", "/", "relative", "/proc/self", "host")
	f.Add("example.com/a/b@sha256:"+strings.Repeat("0", 64), "", "", "\x00", "/a/../b", "/var/run/docker.sock", "/a//b", "container:x")
	f.Add("UPPER:tag", "\xff", "PATH", "\xff", "//", "/srv/../etc", "/dev/shm/x", "ns:/proc/1/ns/net")
	f.Fuzz(func(t *testing.T, image, arg, name, value, dir, source, target, network string) {
		j := Job{
			Image: image, Cmd: []string{arg}, Env: map[string]string{name: value}, WorkDir: dir, InputDir: target,
			Collect: []string{dir}, Limits: Limits{Network: network},
		}
		if source != "" {
			j.Mounts = []Mount{{Source: source, Target: target + "/m", ReadOnly: true}}
		}
		p, err := newPlan(j, "tcp://127.0.0.1:1")
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		for _, text := range []string{arg, name, value} {
			require.True(t, utf8.ValidString(text) && !strings.ContainsRune(text, 0), "%q", text)
		}
		require.NotContains(t, name, "=")
		paths := append([]string{p.inputDir}, p.collect...)
		if dir != "" {
			paths = append(paths, p.workDir)
		}
		for _, m := range p.mounts {
			paths = append(paths, m.Target)
			require.Equal(t, path.Clean(m.Source), m.Source)
			real := m.Source
			if validate.Within(real, "/var/run") {
				real = strings.TrimPrefix(real, "/var")
			}
			require.False(t, validate.WithinAny(real, validate.EnginePaths) || real == "/", "%q", m.Source)
		}
		for _, at := range paths {
			require.True(t, path.IsAbs(at) && path.Clean(at) == at && at != "/", "%q", at)
			require.False(t, validate.WithinAny(at, validate.KernelPaths), "%q", at)
		}
		_, err = reference.ParseAnyReference(p.image)
		require.NoError(t, err)
		require.NotContains(t, p.limits.Network, ":")
		require.NotContains(t, []string{"", "host", "default"}, p.limits.Network)
	})
}
