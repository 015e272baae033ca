package attacks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

// defaultLimits are the limits of every attack that does not change them. The timeout is for
// emulated machines and busy ones.
var defaultLimits = sandbox.Limits{CPUs: 1, MemoryMB: 64, PIDs: 64, Timeout: 100 * time.Second, Network: "none"}

// findRefusedLimits asks for one limit at a time. The sandbox refuses a limit that
// the engine would not enforce.
func (f *Fixture) findRefusedLimits(ctx context.Context) (map[string]bool, error) {
	refused := map[string]bool{}
	for name, limits := range map[string]sandbox.Limits{
		"CPUs": {CPUs: defaultLimits.CPUs}, "MemoryMB": {MemoryMB: defaultLimits.MemoryMB}, "PIDs": {PIDs: defaultLimits.PIDs},
	} {
		limits.Network, limits.Timeout = defaultLimits.Network, defaultLimits.Timeout
		_, err := f.sandbox(ctx, sandbox.Job{Image: f.image, Cmd: []string{"/probe", "nothing"}, Limits: limits})
		refused[name] = errors.Is(err, sandbox.ErrUnsupported)
		if err != nil && !refused[name] {
			return nil, fmt.Errorf("a job with Limits.%s: %w", name, err)
		}
	}
	return refused, nil
}

// findGVisor tells whether runs have gVisor's kernel instead of the host's.
func (f *Fixture) findGVisor(ctx context.Context) (bool, error) {
	j := sandbox.Job{Image: f.image, Cmd: []string{"/probe", "kernel"}, Limits: sandbox.Limits{Network: "none"}}
	res, err := f.sandbox(ctx, j)
	if err == nil && res.ExitCode != 0 {
		err = fmt.Errorf("exit status %d, output %q", res.ExitCode, res.Logs)
	}
	if err != nil {
		return false, fmt.Errorf("the job that asks for the kernel: %w", err)
	}
	return strings.HasPrefix(string(res.Logs), "looked: gVisor\n"), nil
}

// run runs a job without the limits that the sandbox refuses.
func (f *Fixture) run(ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
	if f.refused["CPUs"] {
		j.Limits.CPUs = 0
	}
	if f.refused["MemoryMB"] {
		j.Limits.MemoryMB = 0
	}
	if f.refused["PIDs"] {
		j.Limits.PIDs = 0
	}
	return f.sandbox(ctx, j)
}
