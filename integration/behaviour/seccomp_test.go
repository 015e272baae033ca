//go:build docker

package behaviour_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// The profile is the same on every engine, whatever the engine's own would allow.
func TestSeccompProfile(t *testing.T) {
	t.Parallel()
	var options []string
	res, err := runtest.WhileRunning(t, runtest.WaitingJob(enginetest.Busybox()), func(ctx context.Context, name string) error {
		c, err := enginetest.API.ContainerInspect(ctx, name)
		if err == nil {
			options = c.HostConfig.SecurityOpt
		}
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "started\ninput", string(res.Logs))
	require.Len(t, options, 2)
	require.Equal(t, "no-new-privileges", options[0])
	if enginetest.Podman() { // which had read the file then; the attacks tell what it did with it
		require.Regexp(t, `^seccomp=/.*/seccomp\.json$`, options[1])
		return
	}
	require.Regexp(t, `^seccomp=\{"defaultAction":"SCMP_ACT_ERRNO",.*"names":\["socketcall"\],"action":"SCMP_ACT_ERRNO","errnoRet":38`, options[1])
}

// A profile that the owner of the engine chose is not replaced.
func TestSeccompProfileOfTheOwnerStays(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.json")
	owners := `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}`
	require.NoError(t, os.WriteFile(profile, []byte(owners), 0o644))
	e := enginetest.NewPrivateEngine(t, enginetest.Setup{Flags: []string{"--seccomp-profile", profile}})
	r, err := sandbox.New(sandbox.Options{Host: e.Host})
	require.NoError(t, err)
	res, err := r.RunOnce(context.Background(), sandbox.Job{
		Image: e.Busybox(t), Cmd: []string{"mkdir", "/tmp/x"}, Limits: sandbox.Limits{Network: "none"},
	})
	require.NoError(t, err)
	require.Contains(t, string(res.Logs), "Operation not supported")
	require.Equal(t, 1, res.ExitCode)
	require.NoError(t, r.Close())
	require.Empty(t, e.Left(t))
}
