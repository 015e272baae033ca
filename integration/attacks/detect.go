package attacks

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/synchestra-io/sandbox"
)

type runner = func(context.Context, sandbox.Job) (sandbox.Result, error)

// refusedLimits are those that the sandbox cannot enforce on this engine, and so
// refuses. That it does is asked of each alone.
func refusedLimits(t *testing.T, image string, run runner) map[string]bool {
	t.Helper()
	refused := map[string]bool{}
	for name, l := range map[string]sandbox.Limits{
		"CPUs": {CPUs: limits.CPUs}, "MemoryMB": {MemoryMB: limits.MemoryMB}, "PIDs": {PIDs: limits.PIDs},
	} {
		l.Network, l.Timeout = limits.Network, limits.Timeout
		_, err := run(t.Context(), sandbox.Job{Image: image, Cmd: []string{"/probe", "nothing"}, Limits: l})
		refused[name] = errors.Is(err, sandbox.ErrUnsupported)
		if err != nil && !refused[name] {
			t.Fatalf("a job with Limits.%s: %v", name, err)
		}
	}
	return refused
}

// isGVisor tells whether runs have gVisor's kernel, and not the host's.
func isGVisor(t *testing.T, image string, run runner) bool {
	t.Helper()
	j := sandbox.Job{Image: image, Cmd: []string{"/probe", "kernel"}, Limits: sandbox.Limits{Network: "none"}}
	res, err := run(t.Context(), j)
	if err != nil || res.ExitCode != 0 {
		t.Fatalf("the probe for the kernel: exit status %d, %v\n%s", res.ExitCode, err, res.Logs)
	}
	return strings.HasPrefix(string(res.Logs), "looked: gVisor\n")
}

// without runs jobs without the limits that are refused.
func (g fixture) without(run runner) runner {
	return func(ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
		if g.refused["CPUs"] {
			j.Limits.CPUs = 0
		}
		if g.refused["MemoryMB"] {
			j.Limits.MemoryMB = 0
		}
		if g.refused["PIDs"] {
			j.Limits.PIDs = 0
		}
		return run(ctx, j)
	}
}
