//go:build docker

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// screen collects what comes, and tells when a text has.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newScreen(from io.Reader) *screen {
	s := &screen{more: make(chan struct{}, 1)}
	go func() { // until the end of what it reads
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			s.mu.Lock()
			s.text.Write(buf[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits for a text.
func (s *screen) await(t testing.TB, text string) {
	t.Helper()
	late := time.After(time.Minute)
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.more:
		case <-late:
			require.FailNow(t, "it did not come", "%q in %q", text, s.String())
		}
	}
}

// A signal ends the run, and what it made is removed within seven seconds.
func TestSignals(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			reader, writer := io.Pipe()
			defer reader.Close()
			seen := newScreen(reader)
			c := start(t, t.TempDir(), append(sealed(), "sh", "-c", "trap '' INT TERM HUP; echo ready; while :; do sleep 1; done")...)
			c.Stdout, c.Stderr = writer, writer
			require.NoError(t, c.Start())
			seen.await(t, "ready\n")
			sent := time.Now()
			require.NoError(t, c.Process.Signal(s))
			require.Error(t, c.Wait())
			require.Less(t, time.Since(sent), 7*time.Second)
			require.Equal(t, 130, c.ProcessState.ExitCode(), seen.String())
			require.Contains(t, seen.String(), "stopping")
			nothingLeft(t)
		})
	}
}

// The second signal ends the program at once, and says what may be left; sweep removes it.
func TestSecondSignal(t *testing.T) {
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if x.Request.Method == http.MethodDelete || strings.HasSuffix(x.Request.URL.Path, "/kill") {
			x.Hold()
			return
		}
		x.Forward()
	})
	reader, writer := io.Pipe()
	defer reader.Close()
	seen := newScreen(reader)
	c := start(t, t.TempDir(), append([]string{"--host", p.Host}, append(sealed(), "sh", "-c", "echo ready; while :; do sleep 1; done")...)...)
	c.Stdout, c.Stderr = writer, writer
	require.NoError(t, c.Start())
	seen.await(t, "ready\n")
	require.NoError(t, c.Process.Signal(os.Interrupt))
	seen.await(t, "once more to stop at once")
	require.NoError(t, c.Process.Signal(os.Interrupt))
	require.Error(t, c.Wait())
	require.Equal(t, 130, c.ProcessState.ExitCode())
	require.Contains(t, seen.String(), "sandbox sweep removes them")
	left := objects(t)
	t.Cleanup(func() { enginetest.RemoveObjects(t, objects(t)) })
	require.NotEmpty(t, left)
	would := command(t, "sweep", "--dry-run")
	require.Contains(t, would.out, "would remove "+left[0])
	require.ElementsMatch(t, left, objects(t), "a dry run removes nothing")
	require.Contains(t, command(t, "sweep").out, "removed "+left[0])
	require.NotContains(t, command(t, "sweep").out, "removed ")
	nothingLeft(t)
}

// command runs a command line that may find objects of others.
func command(t testing.TB, args ...string) ended {
	t.Helper()
	var out, err bytes.Buffer
	c := start(t, t.TempDir(), args...)
	c.Stdout, c.Stderr = &out, &err
	c.Run()
	return ended{out.String(), err.String(), c.ProcessState.ExitCode()}
}

// On a terminal there is a bar, Ctrl-C ends the run, and a change of its size does no harm.
func TestTerminal(t *testing.T) {
	dir := tree(t, map[string]string{"large": strings.Repeat("0123456789abcdef", 4<<20)})
	c := start(t, dir, append(sealed("--env", "X=y"), "sh", "-c", "echo ready; while :; do sleep 1; done")...)
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 24, Cols: 80})
	require.NoError(t, err)
	defer terminal.Close()
	t.Cleanup(func() { c.Process.Signal(syscall.SIGTERM); c.Wait() }) // it has ended, unless the test has failed
	seen := newScreen(terminal)
	seen.await(t, "upload")
	require.NoError(t, pty.Setsize(terminal, &pty.Winsize{Rows: 10, Cols: 20}))
	require.NoError(t, pty.Setsize(terminal, &pty.Winsize{Rows: 50, Cols: 200}))
	seen.await(t, "ready")
	sent := time.Now()
	_, err = terminal.Write([]byte{3}) // Ctrl-C
	require.NoError(t, err)
	require.Error(t, c.Wait())
	require.Less(t, time.Since(sent), 7*time.Second)
	require.Equal(t, 130, c.ProcessState.ExitCode(), "%q", seen.String())
	nothingLeft(t)
	_, after, _ := strings.Cut(seen.String(), "ready")
	require.NotContains(t, after, "upload", "the bar is gone before the command's output")
}

// Where there is no terminal, there are lines.
func TestProgressWithoutATerminal(t *testing.T) {
	dir := tree(t, map[string]string{"large": strings.Repeat("0123456789abcdef", 1<<20)})
	got := shell(t, dir, "wc -c large")
	require.Equal(t, "16777216 large\n", got.out)
	require.Regexp(t, `^(sandbox: upload: \S+MiB\n)+$`, got.err)
	require.Empty(t, shell(t, dir, "true", "--quiet").err)
}
