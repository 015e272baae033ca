//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestFirstRunsAtOnceAskTheEngineOnce(t *testing.T) {
	t.Parallel()
	p := enginetest.NewProxy(t, enginetest.API, nil)
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	var runs sync.WaitGroup
	errs := make(chan error, 4)
	for range cap(errs) {
		runs.Go(func() {
			_, err := r.RunOnce(context.Background(), runtest.Shell("true"))
			errs <- err
		})
	}
	runs.Wait()
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.NoError(t, r.Close())
	asked := 0
	for _, request := range p.Requests() {
		if request == "GET /info" {
			asked++
		}
	}
	require.Equal(t, 1, asked)
}

// A run closes the connection of its output. The next run uses all others again.
func TestRunsInARowKeepTheirConnections(t *testing.T) {
	t.Parallel()
	p := enginetest.NewProxy(t, enginetest.API, nil)
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	const runs = 5
	for range runs {
		res, err := r.RunOnce(context.Background(), runtest.Shell("echo ran"))
		require.NoError(t, err)
		require.Equal(t, "ran\n", string(res.Logs))
	}
	require.NoError(t, r.Close())
	most := runs + 2
	if enginetest.Podman() { // whose exit is also looked for: what sees it first ends the wait, with its connection
		most += runs
	}
	require.LessOrEqual(t, p.Accepted(), most, "beside the outputs, one that waits for the exit and one for the rest")
}

// announcingJob writes output, creates a file, and goes on. announced reports whether
// the file is there.
func announcingJob(t *testing.T) (j sandbox.Job, announced func() bool) {
	t.Helper()
	shared := t.TempDir()
	require.NoError(t, os.Chmod(shared, 0o777))
	j = runtest.Shell("echo started; touch /shared/announced; sleep 1000")
	j.Mounts = []sandbox.Mount{{Source: shared, Target: "/shared"}}
	return j, func() bool {
		_, err := os.Stat(filepath.Join(shared, "announced"))
		return err == nil
	}
}

func TestCloseEndsARun(t *testing.T) {
	t.Parallel()
	j, announced := announcingJob(t)
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in"}))
	j.Collect = []string{"/workspace/in"}
	id, ended := runtest.Start(context.Background(), r, j)
	require.Eventually(t, announced, time.Minute, 10*time.Millisecond)

	var closing sync.WaitGroup
	for range 2 {
		closing.Go(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if left := enginetest.LeftOf(t, id); len(left) > 0 {
				t.Error("Close returned before the clean-up was over:", left)
			}
		})
	}
	closing.Wait()
	end := <-ended
	require.ErrorIs(t, end.Err, sandbox.ErrClosed)
	require.ErrorIs(t, end.Err, context.Canceled)
	require.NotErrorIs(t, end.Err, sandbox.ErrCleanup)
	require.NotErrorIs(t, end.Err, context.DeadlineExceeded)
	require.Equal(t, "started\n", string(end.Result.Logs))
	require.Nil(t, end.Result.Artifacts)
	require.False(t, end.Result.TimedOut)
}

// The engine answers the start late. The output is not lost.
func TestCloseBeforeTheStartIsAnswered(t *testing.T) {
	t.Parallel()
	j, announced := announcingJob(t)
	var r *sandbox.Runner
	closed := make(chan error, 1)
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if !strings.HasSuffix(x.Text, "/start") {
			x.Forward()
			return
		}
		x.AskToTheEnd()
		for begin := time.Now(); !announced() && time.Since(begin) < time.Minute; {
			<-time.After(10 * time.Millisecond)
		}
		go func() { closed <- r.Close() }()
		<-x.Request.Context().Done()
	})
	var err error
	r, err = sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	res, id, err := runtest.RunWith(context.Background(), r, j)
	require.ErrorIs(t, err, sandbox.ErrClosed)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, <-closed)
	require.Empty(t, enginetest.LeftOf(t, id))
	require.Equal(t, "started\n", string(res.Logs))
}
