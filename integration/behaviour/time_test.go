//go:build docker

package behaviour_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// stubborn writes output and an artifact, ignores every signal that it can, and
// leaves a grandchild with its output behind.
const stubborn = `trap '' TERM INT HUP; echo artifact >/workspace/file
(trap '' TERM; setsid sleep 1000) & echo before; sleep 1000; echo after`

// promptly is how soon a run returns after the moment that ends it.
const promptly = 2 * time.Second

// These tests measure time, so nothing runs beside them.

func TestTimeoutKillsEverything(t *testing.T) {
	j := runtest.Shell("true")
	start := time.Now()
	runtest.OK(t, j)
	plain := time.Since(start)

	j = runtest.Shell(stubborn)
	j.Collect = []string{"/workspace/file"}
	j.Limits.Timeout = time.Second
	start = time.Now()
	res := runtest.OK(t, j)
	require.Less(t, time.Since(start)-plain-j.Limits.Timeout, promptly)
	require.True(t, res.TimedOut)
	require.Equal(t, 137, res.ExitCode)
	require.Equal(t, "before\n", string(res.Logs))
	require.Equal(t, map[string][]byte{"/workspace/file": []byte("artifact\n")}, res.Artifacts)
}

func TestTimeoutDoesNotTouchAJobThatEndsFirst(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"exit 3", "exit 137", "kill -9 $$"} {
		j := runtest.Shell(script)
		j.Limits.Timeout = time.Minute
		require.False(t, runtest.OK(t, j).TimedOut, script)
	}
}

// At the timeout a stream that never pauses is still drained.
func TestTimeoutWithEndlessOutput(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("yes")
	j.Limits.Timeout = time.Second
	j.Limits.LogBytes = 1 << 10
	res := runtest.OK(t, j)
	require.True(t, res.TimedOut)
	require.Positive(t, res.LogsDropped)
}

// Timeout starts with the command: staging a slow input does not count.
func TestTimeoutCoversOnlyTheCommand(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("echo ran")
	j.InputTar = &slowReader{data: tarball.Of(tarball.File{Name: "a"}), pause: 1500 * time.Millisecond}
	j.Limits.Timeout = time.Second
	res := runtest.OK(t, j)
	require.False(t, res.TimedOut)
	require.Equal(t, "ran\n", string(res.Logs))
}

// slowReader waits before its first byte.
type slowReader struct {
	data  []byte
	pause time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	<-time.After(r.pause)
	r.pause = 0
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func TestCancelIsAnError(t *testing.T) {
	j := runtest.Shell("read x;" + stubborn)
	j.Collect = []string{"/workspace/file"}
	why := errors.New("the caller's own reason")
	for name, end := range map[string]struct {
		begin func(context.Context) (context.Context, func())
		want  error
	}{
		"cancel": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancel(ctx)
			return ctx, cancel
		}, context.Canceled},
		"cause": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(why) }
		}, why},
		"deadline": {func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			return ctx, func() { <-ctx.Done(); cancel() }
		}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, finish := end.begin(context.Background())
			moment := make(chan time.Time, 1)
			j := j
			j.Stdin = strings.NewReader("started\n") // which is read when the start is over
			j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
				go func() { finish(); moment <- time.Now() }()
				return len(p), nil
			})
			res, err := runtest.DoContext(t, ctx, j)
			require.Less(t, time.Since(<-moment), promptly)
			require.ErrorIs(t, err, end.want)
			require.ErrorIs(t, err, ctx.Err())
			var step *sandbox.Error
			require.ErrorAs(t, err, &step)
			require.Equal(t, sandbox.OpWait, step.Op)
			require.False(t, res.TimedOut)
			require.Equal(t, "before\n", string(res.Logs))
			require.Nil(t, res.Artifacts)
		})
	}
}

func TestCancelBeforeTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	res, err := runtest.DoContext(t, ctx, runtest.Shell("echo ran"))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, sandbox.Result{ExitCode: -1}, res)
}
