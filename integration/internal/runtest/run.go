// Package runtest has what tests of runs on a real engine share: jobs, ways to run
// them, and checks of what came of them.
package runtest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// Shell is a job that runs a script in busybox, without network.
func Shell(script string) sandbox.Job {
	return sandbox.Job{Image: enginetest.Busybox(), Cmd: []string{"sh", "-c", script}, Limits: sandbox.Limits{Network: "none"}}
}

// ShellWithDisk is Shell with Limits.DiskMB.
func ShellWithDisk(script string, megabytes int64) sandbox.Job {
	j := Shell(script)
	j.Limits.DiskMB = megabytes
	return j
}

// WaitingJob is a job that waits for enginetest.Release. It has an input and an
// artifact, so that its run has a volume and a staging container.
func WaitingJob(image string) sandbox.Job {
	script := "echo started; cat /workspace/in\n" + enginetest.AwaitRelease + "; cat /workspace/in >/workspace/out"
	return sandbox.Job{
		Image: image, Cmd: []string{"sh", "-c", script},
		InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input"})),
		Collect:  []string{"/workspace/out"},
		Limits:   sandbox.Limits{Network: "none", Timeout: 5 * time.Second},
	}
}

// RunOnce is how these tests run a job. Another way to run jobs, which promises the same, can
// take its place.
var RunOnce = (*sandbox.Runner).RunOnce

// Do runs a job through a Runner of its own and fails the test if anything of the
// run is left on the engine.
func Do(t testing.TB, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	return DoContext(t, context.Background(), j)
}

// DoContext is Do with a context.
func DoContext(t testing.TB, ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	res, id, err := RunWith(ctx, r, j)
	require.NoError(t, r.Close())
	enginetest.AssertNothingLeft(t, id)
	return res, err
}

// OK is Do for a job that must not be an error.
func OK(t testing.TB, j sandbox.Job) sandbox.Result {
	t.Helper()
	res, err := Do(t, j)
	require.NoError(t, err)
	return res
}

// Output is OK for a command that must succeed, and returns its output.
func Output(t testing.TB, j sandbox.Job) string {
	t.Helper()
	res := OK(t, j)
	require.Zero(t, res.ExitCode, "output: %s", res.Logs)
	return string(res.Logs)
}

// RunWith runs a job through r and returns the run's ID, too.
func RunWith(ctx context.Context, r *sandbox.Runner, j sandbox.Job) (sandbox.Result, string, error) {
	id := owner.RandomID()
	res, err := RunOnce(r, owner.WithID(ctx, id), j)
	return res, id, err
}

// Ended is what came of a run.
type Ended struct {
	Result sandbox.Result
	Err    error
}

// Start begins a run and returns its ID.
func Start(ctx context.Context, r *sandbox.Runner, j sandbox.Job) (id string, ended <-chan Ended) {
	id = owner.RandomID()
	end := make(chan Ended, 1)
	go func() {
		res, err := RunOnce(r, owner.WithID(ctx, id), j)
		end <- Ended{res, err}
	}()
	return id, end
}

// WhileRunning runs a job and calls look, with the name of its container, when that
// has been started. Then it releases the job; see enginetest.Release. The context
// of look ends with the run.
func WhileRunning(t testing.TB, j sandbox.Job, look func(ctx context.Context, name string) error) (sandbox.Result, error) {
	t.Helper()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	id, ended := Start(context.Background(), r, j)
	name := owner.NamePrefix + id
	ctx, cancel := context.WithCancel(context.Background())
	looked := make(chan error, 1)
	go func() {
		err := enginetest.WaitStarted(ctx, enginetest.API, name)
		if err == nil {
			err = look(ctx, name)
			enginetest.Release(ctx, enginetest.API, name) // look may have ended the job
		}
		looked <- err
	}()
	end := <-ended
	cancel()
	require.NoError(t, <-looked)
	require.NoError(t, r.Close())
	enginetest.AssertNothingLeft(t, id)
	return end.Result, end.Err
}
