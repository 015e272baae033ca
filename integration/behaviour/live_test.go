//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
)

// blocked is a writer that never returns, until the test ends.
func blocked(t *testing.T) (w io.Writer, entered <-chan struct{}) {
	t.Helper()
	end, in := make(chan struct{}), make(chan struct{}, 1)
	t.Cleanup(func() { close(end) })
	return runtest.WriterFunc(func([]byte) (int, error) {
		in <- struct{}{}
		<-end
		return 0, io.ErrClosedPipe
	}), in
}

func TestLiveOutput(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	j := runtest.Shell("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; head -c 300000 /dev/zero")
	j.Stdout, j.Stderr = &stdout, &stderr
	res := runtest.OK(t, j)
	require.Equal(t, "out 1\nout 2\nout 3\nout 4\nout 5\n"+strings.Repeat("\x00", 300000), stdout.String())
	require.Equal(t, "err 1\nerr 2\nerr 3\nerr 4\nerr 5\n", stderr.String())
	require.Len(t, res.Logs, stdout.Len()+stderr.Len())
}

// It comes while the job runs: the job waits for an answer to it.
func TestLiveOutputIsLive(t *testing.T) {
	t.Parallel()
	answer, ask := io.Pipe()
	j := runtest.Shell("echo question; read x; echo got $x")
	j.Stdin = answer
	var all bytes.Buffer
	j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
		if all.Len() == 0 {
			go func() { io.WriteString(ask, "an answer\n"); ask.Close() }()
		}
		return all.Write(p)
	})
	runtest.OK(t, j)
	require.Equal(t, "question\ngot an answer\n", all.String())
}

func TestOneWriterForBoth(t *testing.T) {
	t.Parallel()
	var inside, writes atomic.Int32
	w := runtest.WriterFunc(func(p []byte) (int, error) {
		if inside.Add(1) != 1 {
			t.Error("two Writes at once")
		}
		writes.Add(1)
		inside.Add(-1)
		return len(p), nil
	})
	j := runtest.Shell("yes | head -c 500000 & yes | head -c 500000 >&2; wait")
	j.Stdout, j.Stderr = w, w
	runtest.OK(t, j)
	require.Greater(t, writes.Load(), int32(10))
}

// A slow writer gets everything, the tail after the job's exit, too.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	var got int
	j := runtest.Shell("head -c 3000000 /dev/zero")
	j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
		<-time.After(10 * time.Millisecond)
		got += len(p)
		return len(p), nil
	})
	runtest.OK(t, j)
	require.Equal(t, 3000000, got)
}

func TestWriterThatFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, w := range map[string]runtest.WriterFunc{
		"Stdout: disk full":                      func([]byte) (int, error) { return 0, full },
		"Stdout: short write":                    func(p []byte) (int, error) { return len(p) - 1, nil },
		"Stdout: Write panicked: no more":        func([]byte) (int, error) { panic("no more") },
		"Stdout: " + "runtime.Goexit was called": func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell("echo begun; yes")
			j.Stdout = w
			j.Limits.LogBytes = 1000
			res, err := runtest.Do(t, j)
			require.EqualError(t, err, "sandbox: wait: "+name)
			require.Equal(t, 137, res.ExitCode)
			require.True(t, strings.HasPrefix(string(res.Logs), "begun\n")) // it may be killed before it goes on
			require.False(t, res.TimedOut)
		})
	}
}

func TestWriterThatNeverReturns(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		timeout time.Duration
		cancel  bool
	}{
		"own exit": {"echo begun", 0, false},
		"timeout":  {"read x; echo begun; yes", time.Second, false},
		"cancel":   {"read x; echo begun; yes", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell(c.script)
			j.Limits.Timeout = c.timeout
			j.Limits.LogBytes = 1000
			j.Stdin = strings.NewReader("started\n") // which is read when the start is over
			w, entered := blocked(t)
			j.Stdout = w
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var from time.Time
			ended := make(chan struct{})
			go func() {
				<-entered
				from = time.Now()
				if c.cancel {
					cancel()
				}
				close(ended)
			}()
			res, err := runtest.DoContext(t, ctx, j)
			<-ended
			require.Less(t, time.Since(from), c.timeout+bounds.Default().Writer+2*time.Second)
			require.ErrorIs(t, err, sandbox.ErrWriterBlocked)
			require.Equal(t, c.cancel, errors.Is(err, context.Canceled))
			require.Equal(t, c.timeout > 0, res.TimedOut)
			require.True(t, strings.HasPrefix(string(res.Logs), "begun\n"), "%q", res.Logs)
		})
	}
}

func TestStdin(t *testing.T) {
	t.Parallel()
	data := strings.Repeat("0123456789", 300_000)
	j := runtest.Shell("md5sum; md5sum")
	j.Stdin = strings.NewReader(data)
	require.Equal(t, runtest.Output(t, func() sandbox.Job {
		j := runtest.Shell("yes 0123456789 | tr -d '\\n' | head -c 3000000 | md5sum; md5sum </dev/null")
		return j
	}()), runtest.Output(t, j))
}

// The job does not read, or ends first: that is its own affair.
func TestStdinThatNobodyReads(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{"ends": "exit 3", "sleeps": "sleep 1; exit 3", "reads one line": "head -n 1 >/dev/null; exit 3", "closes": "exec <&-; sleep 1; exit 3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell(script)
			j.Stdin = io.LimitReader(newlines{}, 64<<20)
			require.Equal(t, 3, runtest.OK(t, j).ExitCode)
		})
	}
}

type newlines struct{}

func (newlines) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

func TestStdinThatNeverComes(t *testing.T) {
	t.Parallel()
	never, w := io.Pipe()
	defer w.Close()
	j := runtest.Shell("exit 3")
	j.Stdin = never
	require.Equal(t, 3, runtest.OK(t, j).ExitCode)

	j = runtest.Shell("cat")
	j.Stdin = never
	j.Limits.Timeout = time.Second
	require.True(t, runtest.OK(t, j).TimedOut)
}

func TestStdinThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r, w := io.Pipe()
	go func() { io.WriteString(w, "half\n"); w.CloseWithError(broken) }()
	j := runtest.Shell("cat; sleep 100")
	j.Stdin = r
	res, err := runtest.Do(t, j)
	require.EqualError(t, err, "sandbox: wait: Stdin: broken")
	require.ErrorIs(t, err, broken)
	require.Equal(t, 137, res.ExitCode)
}

// A caller's Read that goes wrong is an error of the run, and of nothing else.
func TestReadersThatGoWrong(t *testing.T) {
	t.Parallel()
	for why, r := range map[string]runtest.ReaderFunc{
		"Read panicked: no more":           func([]byte) (int, error) { panic("no more") },
		"runtime.Goexit was called":        func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
		"Read returned -1 for a buffer of": func([]byte) (int, error) { return -1, nil },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell("cat; sleep 100")
			j.Stdin = r
			_, err := runtest.Do(t, j)
			require.ErrorContains(t, err, "sandbox: wait: Stdin: "+why)
			j = runtest.Shell("echo ran")
			j.InputTar = r
			res, err := runtest.Do(t, j)
			require.ErrorContains(t, err, "sandbox: stage: ")
			require.ErrorContains(t, err, why)
			require.Empty(t, res.Logs)
		})
	}
}
