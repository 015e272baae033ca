package process

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The engine's clock and ours need not agree, nor go on while a machine sleeps.
func TestClocksThatDisagree(t *testing.T) {
	for name, c := range map[string]struct{ started, finished time.Duration }{
		"the engine's steps ahead": {0, time.Hour},
		"the engine's steps back":  {0, -time.Hour},
		"the engine's is ahead":    {time.Hour, time.Hour},
		"ours stood still":         {-time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			f := &fakeEngine{command: lines, state: func(state map[string]any) {
				if state["Status"] == "exited" {
					state["StartedAt"] = now.Add(c.started).Format(time.RFC3339Nano)
					state["FinishedAt"] = now.Add(c.finished).Format(time.RFC3339Nano)
				}
			}}
			out, err := f.run(t, context.Background(), patient(), Options{})
			require.NoError(t, err)
			require.Equal(t, 3, out.Exit.Code)
			require.Len(t, out.Logs, 400*len("a line\n"))
		})
	}
}

// A stream that ends while the command goes on is seen without any clock.
func TestStreamEndsWhileTheCommandRuns(t *testing.T) {
	f := &fakeEngine{command: func(c *fakeContainer) int { c.cut(); <-c.killed; return KilledStatus }}
	b := patient()
	b.Drain = 100 * time.Millisecond
	_, err := f.run(t, context.Background(), b, Options{})
	require.ErrorIs(t, err, ErrOutputLost)
}

// An exit that is told late is no lost output, even if the engine says that the kill
// succeeded: the status is not that of a kill.
func TestExitThatIsToldLate(t *testing.T) {
	f := &fakeEngine{command: func(c *fakeContainer) int {
		io.WriteString(c.stdout, "all of it")
		c.cut()
		<-c.killed
		return 3
	}}
	b := patient()
	b.Drain = 100 * time.Millisecond
	out, err := f.run(t, context.Background(), b, Options{})
	require.NoError(t, err)
	require.Equal(t, 3, out.Exit.Code)
}

// The wait breaks, as it does when the engine dies: a stream that ended at the same time
// or before is no end that can be relied on.
func TestWaitBreaksAtTheEnd(t *testing.T) {
	f := &fakeEngine{command: lines}
	f.breaks = func() { until(t, f.exited, "exit") }
	_, err := f.run(t, context.Background(), patient(), Options{})
	require.ErrorIs(t, err, ErrOutputLost)
}

// The wait breaks, and the engine is there: the stream, which goes on, has its own end.
// A slow writer would delay the sight of that.
func TestWaitBreaksAndTheOutputGoesOn(t *testing.T) {
	for name, writer := range map[string]io.Writer{"no writer": nil, "writer": io.Discard} {
		t.Run(name, func(t *testing.T) {
			seen, looks := make(chan struct{}), 0
			f := &fakeEngine{breaks: func() {}, state: func(state map[string]any) {
				// One look is that before the start. When the third comes, the answer to
				// another has arrived.
				if looks++; looks == 3 {
					close(seen)
				}
			}}
			f.command = func(c *fakeContainer) int { until(t, seen, "look"); return lines(c) }
			out, err := f.run(t, context.Background(), patient(), Options{Stdout: writer})
			require.Equal(t, writer != nil, errors.Is(err, ErrOutputLost), "%v", err)
			require.Equal(t, 3, out.Exit.Code)
		})
	}
}
