//go:build docker

package behaviour_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
)

// blocked is a writer that does not return before the end of the test.
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

// A slow writer gets all of the output, also what is left after the job's exit.
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
	t.Parallel()
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
			bound := promptly(t)
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
			require.Less(t, time.Since(from), c.timeout+bounds.Default().Writer+bound)
			require.ErrorIs(t, err, sandbox.ErrWriterBlocked)
			require.Equal(t, c.cancel, errors.Is(err, context.Canceled))
			require.Equal(t, c.timeout > 0, res.TimedOut)
			require.True(t, strings.HasPrefix(string(res.Logs), "begun\n"), "%q", res.Logs)
		})
	}
}

// It is no error if the job does not read its input, or ends first. All that it writes
// comes, to a slow writer as well.
func TestStdinThatNobodyReads(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"ends": "", "sleeps": "sleep 1", "reads one line": "head -n 1 >/dev/null", "closes": "exec <&-; sleep 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.Shell(script + "\nyes | head -c 600000; exit 3")
			j.Stdin = io.LimitReader(newlines{}, 64<<20)
			first := true
			j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
				if first {
					<-time.After(time.Second)
				}
				first = false
				return len(p), nil
			})
			res := runtest.OK(t, j)
			require.Equal(t, 3, res.ExitCode)
			require.Equal(t, strings.Repeat("y\n", 300000), string(res.Logs))
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

// A caller's Read that misbehaves is an error of the run, and harms nothing else.
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
