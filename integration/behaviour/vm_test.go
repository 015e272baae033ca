//go:build docker && vm

package behaviour_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
)

// The kernel's own files say what it holds the job to.
func TestLimitsOfCgroupV2(t *testing.T) {
	j := runtest.Shell("cd /sys/fs/cgroup && cat memory.max memory.swap.max cpu.max pids.max")
	j.Limits.MemoryMB, j.Limits.PIDs, j.Limits.CPUs = 64, 50, 0.5
	require.Equal(t, "67108864\n0\n50000 100000\n50\n", runtest.Output(t, j))
	// Without limits, systemd has one of its own on processes.
	require.Regexp(t, `^max\nmax\nmax 100000\n(max|\d{4,})\n$`, runtest.Output(t, runtest.Shell(j.Cmd[2])))
}

// A rootless engine can enforce only the limits that systemd delegates to its user: on the
// machine of ROOTLESS=undelegated, that on processes alone.
func TestUndelegated(t *testing.T) {
	for refused, limits := range map[string]sandbox.Limits{
		"Limits.CPUs 0.5":    {CPUs: 0.5, Network: "none"},
		"Limits.MemoryMB 64": {MemoryMB: 64, Network: "none"},
	} {
		j := runtest.Shell("echo ran")
		j.Limits = limits
		_, err := runtest.Do(t, j)
		require.ErrorIs(t, err, sandbox.ErrUnsupported)
		require.ErrorContains(t, err, refused+": not supported by this engine")
	}
	j := runtest.Shell("cat /sys/fs/cgroup/pids.max")
	j.Limits = sandbox.Limits{PIDs: 50, Network: "none"}
	require.Equal(t, "50\n", runtest.Output(t, j))
}

// Rootless Docker mounts no part of a volume that has a size, since such a volume is neither
// shared nor a slave there.
func TestRootlessRefuses(t *testing.T) {
	_, err := runtest.Do(t, runtest.ShellWithDisk("echo ran", 16))
	runtest.RequireOwnError(t, err, sandbox.OpValidate)
	require.ErrorIs(t, err, sandbox.ErrUnsupported)
	require.ErrorContains(t, err, "Limits.DiskMB 16: ")
}
