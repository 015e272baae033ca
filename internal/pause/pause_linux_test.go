package pause

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// It runs without anything of a system, sleeps, also after a signal, and ends with
// SIGKILL.
func TestProgramRuns(t *testing.T) {
	cmd := exec.Command(written(t, runtime.GOARCH))
	requireSleepsUntilKilled(t, cmd, func() {
		tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "task"))
		require.NoError(t, err)
		require.Len(t, tasks, 1)
	})
}

// written is the path of the program for an architecture.
func written(t *testing.T, arch string) string {
	t.Helper()
	program, known := Program(arch)
	require.True(t, known)
	path := filepath.Join(t.TempDir(), "pause")
	require.NoError(t, os.WriteFile(path, program, 0o755))
	return path
}

// requireSleepsUntilKilled starts a process, and calls woken when a signal has interrupted
// its sleep.
func requireSleepsUntilKilled(t *testing.T, cmd *exec.Cmd, woken func()) {
	t.Helper()
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })

	sleeps := func() bool { return stateOf(t, cmd.Process.Pid) == "S (sleeping)" }
	require.Eventually(t, sleeps, 5*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	stopped := func() bool { return stateOf(t, cmd.Process.Pid) == "T (stopped)" }
	require.Eventually(t, stopped, 5*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Eventually(t, sleeps, 5*time.Second, time.Millisecond)
	woken()

	require.NoError(t, cmd.Process.Kill())
	var err error
	select {
	case err = <-ended:
	case <-time.After(5 * time.Second):
		require.Fail(t, "it lives on")
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	status := exit.Sys().(syscall.WaitStatus)
	require.True(t, status.Signaled() && status.Signal() == syscall.SIGKILL, "%v", err)
}

// stateOf is a process's state as its status file has it.
func stateOf(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "State:")
	require.True(t, found)
	state, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(state)
}
