//go:build docker

package sandbox

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

	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestFirstRunsAtOnceAskTheEngineOnce(t *testing.T) {
	t.Parallel()
	p := NewProxy(t, api, nil)
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)
	var runs sync.WaitGroup
	errs := make(chan error, 4)
	for range cap(errs) {
		runs.Go(func() {
			_, err := r.RunOnce(context.Background(), sh("true"))
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

// A run takes its output's connection with it; all else is kept for the next.
func TestRunsInARowKeepTheirConnections(t *testing.T) {
	t.Parallel()
	p := NewProxy(t, api, nil)
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)
	const runs = 5
	for range runs {
		res, err := r.RunOnce(context.Background(), sh("echo ran"))
		require.NoError(t, err)
		require.Equal(t, "ran\n", string(res.Logs))
	}
	require.NoError(t, r.Close())
	require.LessOrEqual(t, p.Accepted(), runs+2, "beside the outputs, one that waits for the exit and one for the rest")
}

// ending is what a run came to.
type ending struct {
	res Result
	err error
}

// startRun begins a run and returns its ID.
func startRun(ctx context.Context, r *Runner, j Job) (id string, ended <-chan ending) {
	id = owner.RandomID()
	end := make(chan ending, 1)
	go func() {
		res, err := r.RunOnce(owner.WithID(ctx, id), j)
		end <- ending{res, err}
	}()
	return id, end
}

// talkative is a job that says something, and makes a file then, and goes on.
func talkative(t *testing.T) (j Job, said func() bool) {
	t.Helper()
	shared := t.TempDir()
	require.NoError(t, os.Chmod(shared, 0o777))
	j = sh("echo started; touch /shared/said; sleep 1000")
	j.Mounts = []Mount{{Source: shared, Target: "/shared"}}
	return j, func() bool {
		_, err := os.Stat(filepath.Join(shared, "said"))
		return err == nil
	}
}

func TestCloseEndsARun(t *testing.T) {
	t.Parallel()
	j, said := talkative(t)
	r, err := New(Options{})
	require.NoError(t, err)
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in"}))
	j.Collect = []string{"/workspace/in"}
	id, ended := startRun(context.Background(), r, j)
	require.Eventually(t, said, time.Minute, 10*time.Millisecond)

	var closing sync.WaitGroup
	for range 2 {
		closing.Go(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if left := leftOf(t, id); len(left) > 0 {
				t.Error("Close returned before the clean-up was over:", left)
			}
		})
	}
	closing.Wait()
	end := <-ended
	require.ErrorIs(t, end.err, ErrClosed)
	require.ErrorIs(t, end.err, context.Canceled)
	require.NotErrorIs(t, end.err, ErrCleanup)
	require.NotErrorIs(t, end.err, context.DeadlineExceeded)
	require.Equal(t, "started\n", string(end.res.Logs))
	require.Nil(t, end.res.Artifacts)
	require.False(t, end.res.TimedOut)
}

// The engine says late that the container has started: the output is not lost.
func TestCloseBeforeTheStartIsAnswered(t *testing.T) {
	t.Parallel()
	j, said := talkative(t)
	var r *Runner
	closed := make(chan error, 1)
	p := NewProxy(t, api, func(x *Exchange) {
		if !strings.HasSuffix(x.Text, "/start") {
			x.Forward()
			return
		}
		x.AskToTheEnd()
		for begin := time.Now(); !said() && time.Since(begin) < time.Minute; {
			<-time.After(10 * time.Millisecond)
		}
		go func() { closed <- r.Close() }()
		<-x.Request.Context().Done()
	})
	var err error
	r, err = New(Options{Host: p.Host})
	require.NoError(t, err)
	res, id, err := runWith(context.Background(), r, j)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, <-closed)
	require.Empty(t, leftOf(t, id))
	require.Equal(t, "started\n", string(res.Logs))
}
