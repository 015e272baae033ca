//go:build docker

package chaos_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// The phases of a Setup, each named by its first request; in one it runs.
const (
	beforeSetup        = "POST /containers/create job-setup"
	beforeSetupAttach  = "POST /containers/job-setup/attach"
	beforeSetupStart   = "POST /containers/job-setup/start"
	whileSetupRuns     = "setup running"
	beforeSetupRemoval = "DELETE /containers/job-setup"
)

// ofSetup applies an act to Setup's container.
func ofSetup(a act) act {
	return func(ctx context.Context, name string) error { return a(ctx, owner.SetupName(name)) }
}

// Another client does something to Setup's container, or to what it shares with Cmd's.
// Cmd runs only after a Setup that ran to its end.
func TestOtherClientAndSetup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phase, what string
		act         act
		op          sandbox.Op // "" = no error, and then
		text        string     // of the error
		failed      int        // Setup's status
		timedOut    bool
	}{
		{beforeSetup, "removes the staging container", staging(doRemove), sandbox.OpCreate, wasGone, 0, false},
		{beforeSetup, "prunes", prune, sandbox.OpCreate, wasGone, 0, false},
		{beforeSetupAttach, "removes it", ofSetup(doRemove), sandbox.OpStart, wasGone, 0, false},
		{beforeSetupStart, "removes it", ofSetup(doRemove), sandbox.OpStart, noSuch, 0, false},
		{whileSetupRuns, "removes it", ofSetup(doRemove), sandbox.OpWait, wasGone, 0, false},
		{whileSetupRuns, "restarts it", ofSetup(doRestart), sandbox.OpWait, again, 0, false},
		{whileSetupRuns, "kills it", ofSetup(doKill), "", "", runtest.Killed, false},
		{whileSetupRuns, "stops it", ofSetup(doStop), "", "", 128 + 15, false},
		{whileSetupRuns, "pauses it", ofSetup(doPause), "", "", runtest.Killed, true},
		{whileSetupRuns, "removes the staging container", staging(doRemove), sandbox.OpStage, wasGone, 0, false},
		{beforeSetupRemoval, "removes it", ofSetup(doRemove), "", "", 0, false},
		{beforeSetupRemoval, "starts it", ofSetup(doStart), "", "", 0, false}, // which ends it again
		{beforeCreate, "removes the staging container", staging(doRemove), sandbox.OpCreate, wasGone, 0, false},
		{beforeStart, "removes the container", doRemove, sandbox.OpStart, noSuch, 0, false},
	} {
		t.Run(c.phase+" "+c.what, func(t *testing.T) {
			t.Parallel()
			s := &otherClient{phase: c.phase, act: c.act}
			j := runtest.WaitingJob(enginetest.Busybox())
			j.WorkDir = "/workspace/w"
			script := "echo begun; sleep 2; echo ended"
			if c.failed != 0 || c.op == sandbox.OpWait { // the act ends it, whenever it comes
				script = "echo begun; sleep 1000"
			}
			j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", script}, Network: "none", Timeout: 5 * time.Second}
			acted := false
			j.Setup.Output = runtest.WriterFunc(func(p []byte) (int, error) {
				if !acted && c.phase == whileSetupRuns {
					s.err = c.act(context.Background(), s.name)
				}
				acted = true
				return len(p), nil
			})
			res, err := s.run(t, j)
			require.NoError(t, s.err)
			if c.op != "" {
				runtest.RequireOwnError(t, err, c.op)
				require.ErrorContains(t, err, c.text)
				require.NotErrorIs(t, err, sandbox.ErrCleanup)
				require.Empty(t, res.Logs)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.failed != 0, res.SetupFailed)
			require.Equal(t, c.timedOut, res.TimedOut)
			if c.failed != 0 {
				require.Equal(t, c.failed, res.ExitCode)
				require.Equal(t, "begun\n", string(res.SetupLogs))
				require.Nil(t, res.Logs)
				return
			}
			require.Equal(t, "begun\nended\n", string(res.SetupLogs))
			require.Equal(t, "started\ninput", string(res.Logs))
			require.Equal(t, map[string][]byte{"/workspace/out": []byte("input")}, res.Artifacts)
		})
	}
}
