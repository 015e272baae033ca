//go:build docker

package behaviour_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// session is a job that does what it is told: a shell that gets its script line by
// line.
type session struct {
	t      *testing.T
	script io.Writer
	output *bufio.Scanner
}

// begin starts a session, which the test's end ends.
func begin(t *testing.T, limits sandbox.Limits) *session {
	t.Helper()
	stdin, script := io.Pipe()
	stdout, output := io.Pipe()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	// One stream for both, since only within a stream the order is kept.
	shell := []string{"sh", "-c", "exec sh 2>&1"}
	id, ended := runtest.Start(ctx, r, sandbox.Job{Image: enginetest.BusyboxWithProbe(), Cmd: shell, Stdin: stdin, Stdout: output, Limits: limits})
	over := make(chan error, 1)
	go func() {
		over <- (<-ended).Err
		output.Close() // nobody must wait for a line any more
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

// say has a line of script executed.
func (s *session) say(line string) {
	s.t.Helper()
	_, err := io.WriteString(s.script, line+"\n")
	require.NoError(s.t, err, "%s", line)
}

// hear returns the next line of output.
func (s *session) hear() string {
	s.t.Helper()
	require.True(s.t, s.output.Scan(), "the run has ended")
	return s.output.Text()
}

// answer executes a line of script and returns what it prints.
func (s *session) answer(line string) string {
	s.t.Helper()
	s.say(line + "\necho .")
	var lines []string
	for heard := s.hear(); heard != "."; heard = s.hear() {
		lines = append(lines, heard)
	}
	return strings.Join(lines, "\n")
}

// siblings runs f with two runs at once, without a disk and with one.
func siblings(t *testing.T, f func(t *testing.T, a, b *session)) {
	t.Parallel()
	for name, disk := range map[string]int64{"plain": 0, "disk": 16} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := sandbox.Limits{Network: "none", PIDs: 64, MemoryMB: 64, CPUs: 1, DiskMB: disk}
			f(t, begin(t, limits), begin(t, limits))
		})
	}
}

// Each run has its own of everything that processes share or talk through.
func TestSiblingsCannotReachEachOther(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		for thing, c := range map[string]struct{ make, look, there string }{
			"System V shared memory": {"/probe shm", "tail -n +2 /proc/sysvipc/shm | wc -l", "1"},
			"POSIX shared memory":    {"echo >/dev/shm/secret", "ls /dev/shm", "secret"},
			"message queue":          {"touch /dev/mqueue/secret", "ls /dev/mqueue", "secret"},
			"file in /tmp":           {"echo >/tmp/secret", "ls /tmp", "secret"},
			"file in /workspace":     {"echo >/workspace/secret", "ls /workspace", "secret"},
		} {
			before := b.answer(c.look)
			require.Empty(t, a.answer(c.make), thing)
			require.Equal(t, c.there, a.answer(c.look), thing)
			require.Equal(t, before, b.answer(c.look), thing)
			require.NotEqual(t, c.there, before, thing)
		}
		require.NotEqual(t, a.answer("hostname"), b.answer("hostname"))
	})
}

// Both are the same user, so nothing but the namespace keeps signals away.
func TestSiblingsCannotSignalEachOther(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		a.say("sleep 31337 & sleeper=$!; until grep -q 31337 /proc/$sleeper/cmdline; do :; done")
		const look = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo"
		require.Contains(t, a.answer(look), "sleep 31337")
		require.NotContains(t, b.answer(look), "sleep 31337")
		b.answer("kill -KILL -1")
		b.answer("for p in $(seq 2 5000); do [ $p = $$ ] || kill -KILL $p; done 2>/dev/null")
		require.Equal(t, "alive", a.answer("kill -0 $sleeper && echo alive"))
	})
}

// There is nothing on network "none" to meet on.
func TestSiblingsWithoutNetwork(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		for _, address := range []string{"unix @sibling", "tcp 127.0.0.1:8080"} {
			a.say("/probe listen " + address + " &")
			require.Equal(t, "listening", a.hear())
			require.Equal(t, "reached", a.answer("/probe dial "+address))
			require.Contains(t, b.answer("/probe dial "+address), "connection refused")
		}
		require.Contains(t, b.answer("/probe dial tcp 172.17.0.1:8080"), "network is unreachable")
		require.Equal(t, "lo", b.answer("ip -o link show up | sed 's/^[0-9]*: //; s/:.*//'"))
	})
}

// On the bridge they can, by address: this is what README warns of. What is no
// network still keeps them apart.
func TestSiblingsOnTheBridge(t *testing.T) {
	t.Parallel()
	limits := sandbox.Limits{Network: "bridge", PIDs: 64, MemoryMB: 64}
	a, b := begin(t, limits), begin(t, limits)
	a.say("/probe listen tcp :8080 &")
	require.Equal(t, "listening", a.hear())
	address, name := a.answer("hostname -i"), a.answer("hostname")
	require.Equal(t, "reached", b.answer("/probe dial tcp "+address+":8080"))
	require.NotContains(t, b.answer("/probe dial tcp "+name+":8080"), "reached", "it has no name there")

	a.say("/probe listen unix @sibling &")
	require.Equal(t, "listening", a.hear())
	require.Contains(t, b.answer("/probe dial unix @sibling"), "connection refused")

	// The engine's host is a neighbour, too. Nothing listens there, so it refuses,
	// unless a firewall lets nothing through.
	gateway := b.answer("ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'")
	require.Regexp(t, "connection refused|i/o timeout", b.answer("/probe dial tcp "+gateway+":1"))
}

// Processes are counted by run, although the user is the same.
func TestSiblingsBesideAForkBomb(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		a.say("/probe bomb &")
		require.Equal(t, "at the limit", a.hear())
		require.Equal(t, "52 processes", b.answer("for i in $(seq 50); do sleep 1000 & done; set -- /proc/[0-9]*; echo $# processes"))
	})
}

func TestSiblingsBesideAFullDisk(t *testing.T) {
	siblings(t, func(t *testing.T, a, b *session) {
		require.Contains(t, a.answer("head -c 12000000 /dev/zero >/tmp/a; cat /dev/zero >/tmp/b"), "No space left on device")
		require.Equal(t, "wrote", b.answer("head -c 12000000 /dev/zero >/tmp/big && echo wrote"))
		require.Contains(t, a.answer("echo more >/tmp/more"), "No space left on device")
	})
}

// The kernel counts some things by user, and every run is the same one: README
// says so. Queues are among them.
func TestSiblingsShareQuotasByUser(t *testing.T) {
	t.Parallel()
	limits := sandbox.Limits{Network: "none"}
	a, b := begin(t, limits), begin(t, limits)
	const fill = "i=0; while touch /dev/mqueue/$i; do i=$((i+1)); done"
	const full = "Too many open files"
	require.Contains(t, a.answer(fill), full)
	require.Contains(t, b.answer("touch /dev/mqueue/one"), full)
	require.Empty(t, a.answer("rm /dev/mqueue/*"))
	require.Empty(t, b.answer("touch /dev/mqueue/one"))
}
