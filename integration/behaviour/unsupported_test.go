//go:build docker

package behaviour_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// The same as TestEngineWithoutDefences on a real engine: its host has no PIDs
// controller, and it runs containers without seccomp, if it has an option for that.
func TestPrivateEngineWithoutDefences(t *testing.T) {
	flags := []string{}
	version, err := exec.Command("dockerd", "--version").Output()
	require.NoError(t, err)
	if !strings.Contains(string(version), " 20.") {
		flags = append(flags, "--seccomp-profile=unconfined")
	}
	e := enginetest.NewPrivateEngine(t, enginetest.Setup{HideController: "pids", Flags: flags})
	r, err := sandbox.New(sandbox.Options{Host: e.Host})
	require.NoError(t, err)
	j := sandbox.Job{Image: e.Busybox(t), Cmd: []string{"grep", "Seccomp:", "/proc/self/status"}, Limits: sandbox.Limits{Network: "none", PIDs: 100}}
	_, err = r.RunOnce(context.Background(), j)
	require.ErrorIs(t, err, sandbox.ErrUnsupported)
	require.ErrorContains(t, err, "sandbox: validate: Limits.PIDs 100: not supported by this engine")
	j.Limits.PIDs = 0
	res, err := r.RunOnce(context.Background(), j)
	require.NoError(t, err)
	require.Equal(t, "Seccomp:\t2\n", string(res.Logs))
	require.NoError(t, r.Close())
	require.Empty(t, e.Left(t))
}
