//go:build docker

package behaviour_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
)

// ignoresSignals writes output and an artifact, ignores every signal that it can, and
// leaves a grandchild behind that holds its output.
const ignoresSignals = `trap '' TERM INT HUP; echo artifact >/workspace/file
(trap '' TERM; setsid sleep 1000) & echo before; sleep 1000; echo after`

// promptly returns a bound on the time between the event that ends a run and its
// return: two seconds, and what three plain runs take, which is long on a busy machine.
func promptly(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	runtest.OK(t, runtest.Shell("true"))
	return 2*time.Second + 3*time.Since(start)
}

// These tests measure time, so nothing runs beside them.

func TestTimeoutKillsEverything(t *testing.T) {
	bound := promptly(t)
	j := runtest.Shell(ignoresSignals)
	j.Collect = []string{"/workspace/file"}
	j.Limits.Timeout = time.Second
	start := time.Now()
	res := runtest.OK(t, j)
	require.Less(t, time.Since(start)-j.Limits.Timeout, bound)
	require.True(t, res.TimedOut)
	require.Equal(t, 137, res.ExitCode)
	require.Equal(t, "before\n", string(res.Logs))
	require.Equal(t, map[string][]byte{"/workspace/file": []byte("artifact\n")}, res.Artifacts)
}

func TestCancelIsAnError(t *testing.T) {
	j := runtest.Shell("read x;" + ignoresSignals)
	j.Collect = []string{"/workspace/file"}
	why := errors.New("the caller's own reason")
	bound := promptly(t)
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
			ctx, cancel := context.WithTimeout(ctx, bound) // enough for the start
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
			require.Less(t, time.Since(<-moment), bound)
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
