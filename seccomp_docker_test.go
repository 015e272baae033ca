//go:build docker

package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The profile is the same on every engine, whatever its own would allow.
func TestSeccompProfile(t *testing.T) {
	t.Parallel()
	var options []string
	s := &stranger{phase: whileRunning, act: func(ctx context.Context, name string) error {
		c, err := api.ContainerInspect(ctx, name)
		if err == nil {
			options = c.HostConfig.SecurityOpt
		}
		return err
	}}
	res, err := s.run(t, strangerJob(t, busybox()))
	require.NoError(t, s.err)
	complete.check(t, res, err)
	require.Len(t, options, 2)
	require.Equal(t, "no-new-privileges", options[0])
	require.Regexp(t, `^seccomp=\{"defaultAction":"SCMP_ACT_ERRNO",.*"names":\["socketcall"\],"action":"SCMP_ACT_ERRNO","errnoRet":38`, options[1])
}

// A profile that the engine's owner chose decides, and ours is not put over it.
func TestSeccompProfileOfTheOwnerStays(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.json")
	owners := `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}`
	require.NoError(t, os.WriteFile(profile, []byte(owners), 0o644))
	e := newPrivateEngine(t, engineSetup{flags: []string{"--seccomp-profile", profile}})
	r, err := New(Options{Host: e.host})
	require.NoError(t, err)
	res, err := r.RunOnce(context.Background(), Job{
		Image: e.busybox(t), Cmd: []string{"mkdir", "/tmp/x"}, Limits: Limits{Network: "none"},
	})
	require.NoError(t, err)
	require.Contains(t, string(res.Logs), "Operation not supported")
	require.Equal(t, 1, res.ExitCode)
	require.NoError(t, r.Close())
	require.Empty(t, e.left(t))
}
