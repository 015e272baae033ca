//go:build docker

package behaviour_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// exited is closed when the container of a run has ended, or when the test has.
func exited(t *testing.T, id string) <-chan struct{} {
	t.Helper()
	messages, errs := enginetest.API.Events(t.Context(), events.ListOptions{Since: "1", Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("container", owner.NamePrefix+id), filters.Arg("event", "die"))})
	died := make(chan struct{})
	go func() {
		defer close(died)
		for {
			select {
			case e := <-messages:
				if e.Actor.Attributes["name"] == owner.NamePrefix+id {
					return
				}
			case <-errs:
				return
			}
		}
	}()
	return died
}

// runAs runs a job by an ID that is known before.
func runAs(t *testing.T, ctx context.Context, id string, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	res, err := r.RunOnce(owner.WithID(ctx, id), j)
	require.NoError(t, r.Close())
	enginetest.AssertNothingLeft(t, id)
	return res, err
}

// many says a line many times, each with a write of its own, and leaves a file.
const many = "for i in $(seq 200); do echo a line; usleep 2000; done; echo artifact >/workspace/file; exit 3"

// The context ends after the command's exit, while a slow writer still has minutes to
// go: the run ends soon.
func TestContextEndsWithASlowWriter(t *testing.T) {
	t.Parallel()
	id := owner.RandomID()
	died := exited(t, id)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var canceled time.Time
	writes := 0
	j := runtest.Shell(many)
	j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
		<-died
		if writes++; writes == 5 { // the exit has been told by then
			canceled = time.Now()
			cancel()
		}
		<-time.After(300 * time.Millisecond)
		return len(p), nil
	})
	res, err := runAs(t, ctx, id, j)
	took := time.Since(canceled)
	t.Logf("back %v after the end of the context", took)
	require.Less(t, took, bounds.Default().Return())
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, sandbox.ErrWriterBlocked)
	require.Equal(t, 3, res.ExitCode)
	require.Len(t, res.Logs, 200*len("a line\n"))
}

// When the command has ended by itself, its status and its artifacts are there
// whatever becomes of a writer.
func TestArtifactsDespiteTheWriter(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, c := range map[string]struct {
		write func() error // after the command's exit
		want  error
	}{
		"fails":  {func() error { return full }, full},
		"blocks": {nil, sandbox.ErrWriterBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := owner.RandomID()
			died, over := exited(t, id), make(chan struct{})
			defer close(over)
			j := runtest.Shell(many)
			j.Collect = []string{"/workspace/file"}
			j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
				<-died
				if c.write == nil {
					<-over
					return 0, io.ErrClosedPipe
				}
				return 0, c.write()
			})
			res, err := runAs(t, context.Background(), id, j)
			runtest.RequireStep(t, err, sandbox.OpWait)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, 3, res.ExitCode)
			require.Len(t, res.Logs, 200*len("a line\n"))
			require.Equal(t, map[string][]byte{"/workspace/file": []byte("artifact\n")}, res.Artifacts)
		})
	}
}

// An artifact that comes slowly is waited for after the command's own exit. After a
// timeout the run's ending is bounded.
func TestSlowArtifact(t *testing.T) {
	t.Parallel()
	const ending = 9 * time.Second
	for name, timedOut := range map[string]bool{"own exit": false, "timeout": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
				if x.Text == "GET /containers/job/archive" || x.Text == "GET /containers/job-stage/archive" { // Docker's and Podman's
					x.Copy = func(w io.Writer, body io.Reader) {
						for stop := time.Now().Add(ending * 3 / 2); time.Now().Before(stop) && x.Request.Context().Err() == nil; {
							io.CopyN(w, body, 1)
							<-time.After(50 * time.Millisecond)
						}
						x.CopyBody(w, body)
					}
				}
				x.Forward()
			})
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			j := runtest.Shell("echo artifact >/workspace/file; [ $LONG = false ] || sleep 1000")
			j.Env = map[string]string{"LONG": map[bool]string{true: "true", false: "false"}[timedOut]}
			j.Collect = []string{"/workspace/file"}
			b := bounds.Default()
			b.Ending = ending
			if timedOut {
				j.Limits.Timeout = 2 * time.Second
			}
			res, id, err := runtest.RunWith(bounds.With(context.Background(), b), r, j)
			require.NoError(t, r.Close())
			enginetest.AssertNothingLeft(t, id)
			require.Equal(t, timedOut, res.TimedOut)
			if !timedOut {
				require.NoError(t, err)
				require.Equal(t, "artifact\n", string(res.Artifacts["/workspace/file"]))
				return
			}
			runtest.RequireOwnError(t, err, sandbox.OpCollect)
			require.ErrorContains(t, err, "the run's ending took longer than 6s")
			require.NotErrorIs(t, err, sandbox.ErrCleanup)
			require.Empty(t, res.Artifacts)
		})
	}
}
