//go:build docker

package behaviour_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// session is a job whose command is a shell. It gets its script line by line.
type session struct {
	t      *testing.T
	script io.Writer
	output *bufio.Scanner
}

// startSession starts a session that ends with the test.
func startSession(t *testing.T, limits sandbox.Limits) *session {
	t.Helper()
	stdin, script := io.Pipe()
	stdout, output := io.Pipe()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	// Both go to one stream, because the order is kept only within a stream.
	shell := []string{"sh", "-c", "exec sh 2>&1"}
	id, ended := runtest.Start(ctx, r, sandbox.Job{Image: enginetest.BusyboxWithProbe(), Cmd: shell, Stdin: stdin, Stdout: output, Limits: limits})
	over := make(chan error, 1)
	go func() {
		o := <-ended
		over <- o.Err
		// Nobody must wait for a line any more.
		output.CloseWithError(fmt.Errorf("the run has ended: exit status %d, OOM killed: %t: %w", o.Result.ExitCode, o.Result.OOMKilled, o.Err))
		stdin.Close()
	}()
	t.Cleanup(func() {
		go io.Copy(io.Discard, stdout) // what nobody asked for
		script.Close()
		require.NoError(t, <-over)
		cancel()
		require.NoError(t, r.Close())
		enginetest.AssertNothingLeft(t, id)
	})
	return &session{t, script, bufio.NewScanner(stdout)}
}

// send sends a line of script.
func (s *session) send(line string) {
	s.t.Helper()
	_, err := io.WriteString(s.script, line+"\n")
	require.NoError(s.t, err, "%s", line)
}

// readLine returns the next line of output.
func (s *session) readLine() string {
	s.t.Helper()
	require.True(s.t, s.output.Scan(), "%v", s.output.Err())
	return s.output.Text()
}

// eval executes a line of script and returns its output.
func (s *session) eval(line string) string {
	s.t.Helper()
	s.send(line + "\necho .")
	var lines []string
	for line := s.readLine(); line != "."; line = s.readLine() {
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// siblings runs f with two runs at the same time, without a disk and with one.
func siblings(t *testing.T, f func(t *testing.T, a, b *session)) {
	t.Parallel()
	for _, disk := range disks() {
		t.Run(fmt.Sprintf("DiskMB %d", disk), func(t *testing.T) {
			t.Parallel()
			limits := sandbox.Limits{Network: "none", PIDs: 64, MemoryMB: bombMB, CPUs: 1, DiskMB: disk}
			f(t, startSession(t, limits), startSession(t, limits))
		})
	}
}

// Each run has its own instance of everything that processes can share.
func TestSiblingsCannotReachEachOther(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		for thing, c := range map[string]struct{ make, look, there string }{
			"System V shared memory": {"/probe shm", "tail -n +2 /proc/sysvipc/shm | wc -l", "1"},
			"POSIX shared memory":    {"echo >/dev/shm/secret", "ls /dev/shm", "secret"},
			"message queue":          {"touch /dev/mqueue/secret", "ls /dev/mqueue", "secret"},
			"file in /tmp":           {"echo >/tmp/secret", "ls /tmp", "secret"},
			"file in /workspace":     {"echo >/workspace/secret", "ls /workspace", "secret"},
		} {
			before := b.eval(c.look)
			require.Empty(t, a.eval(c.make), thing)
			require.Equal(t, c.there, a.eval(c.look), thing)
			require.Equal(t, before, b.eval(c.look), thing)
			require.NotEqual(t, c.there, before, thing)
		}
		for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"} {
			const look = "readlink /proc/self/ns/"
			require.NotEqual(t, a.eval(look+kind), b.eval(look+kind))
		}
	})
}

// Both run as the same user, so only the namespace keeps signals away.
func TestSiblingsCannotSignalEachOther(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		a.send("sleep 31337 & sleeper=$!; until grep -q 31337 /proc/$sleeper/cmdline; do :; done")
		const look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo"
		require.Contains(t, a.eval(look), "sleep 31337")
		require.NotContains(t, b.eval(look), "sleep 31337")
		b.eval("kill -KILL -1")
		b.eval("for p in $(seq 2 5000); do [ $p = $$ ] || kill -KILL $p; done 2>/dev/null")
		require.Equal(t, "alive", a.eval("kill -0 $sleeper && echo alive"))
	})
}

// On network "none" the runs share no network.
func TestSiblingsWithoutNetwork(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		for _, address := range []string{"unix @sibling", "tcp 127.0.0.1:8080"} {
			a.send("/probe listen " + address + " &")
			require.Equal(t, "listening", a.readLine())
			require.Equal(t, "reached", a.eval("/probe dial "+address))
			require.Contains(t, b.eval("/probe dial "+address), "connection refused")
		}
		require.Contains(t, b.eval("/probe dial tcp 172.17.0.1:8080"), "network is unreachable")
		require.Equal(t, "lo", b.eval("ip -o link show up | sed 's/^[0-9]*: //; s/:.*//'"))
	})
}

// On the bridge the runs reach each other by address, as README warns. Everything else
// still separates them.
func TestSiblingsOnTheBridge(t *testing.T) {
	t.Parallel()
	limits := sandbox.Limits{Network: "bridge", PIDs: 64, MemoryMB: 64}
	a, b := startSession(t, limits), startSession(t, limits)
	a.send("/probe listen tcp :8080 &")
	require.Equal(t, "listening", a.readLine())
	address, name := a.eval("hostname -i"), a.eval("hostname")
	require.Equal(t, "reached", b.eval("/probe dial tcp "+address+":8080"))
	require.NotContains(t, b.eval("/probe dial tcp "+name+":8080"), "reached", "it has no name there")

	a.send("/probe listen unix @sibling &")
	require.Equal(t, "listening", a.readLine())
	require.Contains(t, b.eval("/probe dial unix @sibling"), "connection refused")

	// The engine's host is a neighbour too. Nothing listens there, so the connection is
	// refused, unless a firewall drops it.
	gateway := b.eval("ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'")
	require.Regexp(t, "connection refused|i/o timeout", b.eval("/probe dial tcp "+gateway+":1"))
}

// Processes are counted for each run, although the user is the same.
func TestSiblingsBesideAForkBomb(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		a.send("/probe bomb &")
		require.Equal(t, "at the limit", a.readLine())
		require.Equal(t, "52 processes", b.eval("for i in $(seq 50); do sleep 1000 & done; set -- /proc/[0-9]*; echo $# processes"))
	})
}

func TestSiblingsBesideAFullDisk(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		require.Contains(t, a.eval("head -c 12000000 /dev/zero >/tmp/a; cat /dev/zero >/tmp/b"), "No space left on device")
		require.Equal(t, "wrote", b.eval("head -c 12000000 /dev/zero >/tmp/big && echo wrote"))
		require.Contains(t, a.eval("echo more >/tmp/more"), "No space left on device")
	})
}

// The kernel counts some resources by user, and every run has the same one, as README
// says. Message queues are among them.
func TestSiblingsShareQuotasByUser(t *testing.T) {
	t.Parallel()
	limits := sandbox.Limits{Network: "none"}
	a, b := startSession(t, limits), startSession(t, limits)
	const fill = "i=0; while touch /dev/mqueue/$i; do i=$((i+1)); done"
	const full = "Too many open files"
	require.Contains(t, a.eval(fill), full)
	require.Contains(t, b.eval("touch /dev/mqueue/one"), full)
	require.Empty(t, a.eval("rm /dev/mqueue/*"))
	require.Empty(t, b.eval("touch /dev/mqueue/one"))
}
