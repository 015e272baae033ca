package process

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// patient are bounds that no test reaches but by a fault; those that it must reach it
// makes short.
func patient() bounds.Bounds {
	b := bounds.Default()
	b.Writer, b.OOM = 300*time.Millisecond, 10*time.Millisecond
	return b
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

// lines is a command that says something many times and ends.
func lines(c *fakeContainer) int {
	for range 400 {
		io.WriteString(c.stdout, "a line\n")
	}
	return 3
}

// sleeps is a command that ends when it is killed.
func sleeps(c *fakeContainer) int {
	io.WriteString(c.stdout, "begun\n")
	<-c.killed
	return KilledStatus
}

// A slow writer gets all of the output if the run is not cut off, however long that
// takes.
func TestSlowWriterAfterTheExit(t *testing.T) {
	f, got := &fakeEngine{command: lines}, 0
	b := patient()
	b.Ending = 100 * time.Millisecond
	out, err := f.run(t, context.Background(), b, Options{Stdout: writeFunc(func(p []byte) (int, error) {
		<-time.After(2 * time.Millisecond)
		got++
		return len(p), nil
	})})
	require.NoError(t, err)
	require.NoError(t, out.Undelivered)
	require.Equal(t, 3, out.Exit.Code)
	require.Equal(t, 400, got)
}

// The end of the context is obeyed after the exit, too: the writer has a last moment.
func TestContextEndsAfterTheExit(t *testing.T) {
	f := &fakeEngine{command: lines}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var writes atomic.Int64
	var canceled time.Time
	out, err := f.run(t, ctx, patient(), Options{Stdout: writeFunc(func(p []byte) (int, error) {
		if writes.Add(1) == 2 {
			until(t, f.exited, "exit")
			canceled = time.Now()
			cancel()
		}
		<-time.After(50 * time.Millisecond)
		return len(p), nil
	})})
	require.Less(t, time.Since(canceled), 5*time.Second)
	require.ErrorIs(t, err, stdio.ErrWriterBlocked)
	require.Equal(t, 3, out.Exit.Code)
	require.Len(t, out.Logs, 400*len("a line\n"))
	require.Greater(t, writes.Load(), int64(2), "there is a last moment")
	after := writes.Load()
	<-time.After(100 * time.Millisecond)
	require.Equal(t, after, writes.Load(), "a Write began after the end")
}

// At the end of a context that interrupts nothing there is no error. The command can be
// over before the answer to its start has come: then the start is interrupted.
func TestContextEndsWhileTheLastWriteReturns(t *testing.T) {
	for range 100 {
		f := &fakeEngine{command: func(c *fakeContainer) int { io.WriteString(c.stdout, "one"); return 0 }}
		ctx, cancel := context.WithCancel(context.Background())
		out, err := f.run(t, ctx, patient(), Options{Stdout: writeFunc(func(p []byte) (int, error) {
			until(t, f.exited, "exit")
			cancel()
			return len(p), nil
		})})
		cancel()
		if out.Started {
			require.NoError(t, err)
			require.Zero(t, out.Exit.Code)
			return
		}
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Fail(t, "every start was interrupted")
}

// A timeout that finds the command ended by itself cuts off neither a slow writer nor
// what follows.
func TestTimeoutAndSlowWriterAfterTheExit(t *testing.T) {
	f := &fakeEngine{command: lines}
	f.state = func(state map[string]any) {
		if state["Status"] == "exited" { // it is told late
			<-time.After(200 * time.Millisecond)
		}
	}
	got := 0
	b := patient()
	b.Ending = time.Second
	out, err := f.run(t, context.Background(), b, Options{Timeout: 100 * time.Millisecond, Stdout: writeFunc(func(p []byte) (int, error) {
		<-time.After(5 * time.Millisecond)
		got++
		return len(p), nil
	})})
	require.NoError(t, err)
	require.NoError(t, out.Undelivered)
	require.False(t, out.TimedOut)
	require.Equal(t, 3, out.Exit.Code)
	require.Equal(t, 400, got)
}

// A command that is killed by itself, as it were, at the timeout has not timed out.
func TestTimeoutAfterTheExit(t *testing.T) {
	f := &fakeEngine{command: func(c *fakeContainer) int { return KilledStatus }}
	f.state = func(state map[string]any) {
		if state["Status"] == "exited" { // it is told late
			<-time.After(300 * time.Millisecond)
		}
	}
	out, err := f.run(t, context.Background(), patient(), Options{Timeout: 100 * time.Millisecond})
	require.NoError(t, err)
	require.False(t, out.TimedOut)
}

// readFunc is a caller's reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// A Read that is under way when the command has ended is not waited for.
func TestReadThatIsPending(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	fastest := time.Hour
	for range 5 {
		f := &fakeEngine{command: lines}
		start := time.Now()
		_, err := f.run(t, context.Background(), patient(), Options{Stdin: stdio.NewSource(readFunc(func([]byte) (int, error) {
			<-over
			return 0, io.EOF
		}))})
		require.NoError(t, err)
		fastest = min(fastest, time.Since(start))
	}
	require.Less(t, fastest, 450*time.Millisecond)
}

// An error of Stdin is none if the command has ended.
func TestReadFailsAfterTheExit(t *testing.T) {
	f := &fakeEngine{command: lines}
	b := patient()
	f.state = func(state map[string]any) {
		if state["Status"] == "exited" { // it is told late
			<-time.After(100 * time.Millisecond)
		}
	}
	out, err := f.run(t, context.Background(), b, Options{Stdin: stdio.NewSource(readFunc(func([]byte) (int, error) {
		until(t, f.exited, "exit")
		return 0, io.ErrUnexpectedEOF
	}))})
	require.NoError(t, err)
	require.Equal(t, 3, out.Exit.Code)
}
