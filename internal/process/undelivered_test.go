package process

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/stdio"
)

// A Write that fails ends the command. If the command ended before, its run is complete.
func TestWriteFails(t *testing.T) {
	full := errors.New("full")
	f := &fakeEngine{command: sleeps}
	out, err := f.run(t, context.Background(), patient(), Options{Stdout: writeFunc(func([]byte) (int, error) { return 0, full })})
	require.ErrorIs(t, err, full)
	require.Equal(t, KilledStatus, out.Exit.Code)

	f = &fakeEngine{command: lines}
	out, err = f.run(t, context.Background(), patient(), Options{Stdout: writeFunc(func([]byte) (int, error) {
		until(t, f.exited, "exit")
		return 0, full
	})})
	require.NoError(t, err)
	require.ErrorIs(t, out.Undelivered, full)
	require.Equal(t, 3, out.Exit.Code)
	require.Len(t, out.Logs, 400*len("a line\n"))
}

// The same for a Write that never returns, after the exit and after a timeout.
func TestWriteNeverReturns(t *testing.T) {
	for name, c := range map[string]struct {
		command func(*fakeContainer) int
		timeout time.Duration
		status  int
	}{
		"own exit": {lines, 0, 3},
		"timeout":  {sleeps, 100 * time.Millisecond, KilledStatus},
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			f := &fakeEngine{command: c.command}
			out, err := f.run(t, context.Background(), patient(), Options{Timeout: c.timeout, Stdout: writeFunc(func([]byte) (int, error) {
				<-over
				return 0, nil
			})})
			close(over)
			require.NoError(t, err)
			require.ErrorIs(t, out.Undelivered, stdio.ErrWriterBlocked)
			require.Equal(t, c.status, out.Exit.Code)
			require.Equal(t, c.timeout > 0, out.TimedOut)
		})
	}
}
