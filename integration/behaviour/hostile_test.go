//go:build docker

package behaviour_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// atTimeout is the status of a job that does not end by itself.
const atTimeout = -1

// Whatever a job does, all of it ends at Limits.Timeout or before, and the output and
// artifacts up to then are kept.
func TestHostileProcesses(t *testing.T) {
	t.Parallel()
	const zombies = "for i in $(seq 50); do true & done; "
	for name, c := range map[string]struct {
		script string
		says   string
		status int
	}{
		"fork bomb":                        {"/probe bomb", "", atTimeout},
		"fork bomb of a job that ends":     {"mkfifo /tmp/p; /probe bomb 2>/tmp/p & read x </tmp/p; echo $x; exit 3", "at the limit\n", 3},
		"memory bomb":                      {"while :; do tail /dev/zero; done 2>/dev/null", "", atTimeout},
		"memory bomb that is the command":  {"exec tail /dev/zero", "", runtest.Killed},
		"double fork":                      {"(setsid sleep 1000 &); exit 3", "", 3},
		"grandchild that holds the output": {"mkfifo /tmp/p; (setsid sh -c 'trap \"\" HUP TERM; echo held; echo >/tmp/p; sleep 1000' &); read x </tmp/p; exit 3", "held\n", 3},
		"zombies":                          {zombies + "exec sleep 1000", "", atTimeout},
		"zombies of a job that ends":       {zombies + "exit 3", "", 3},
		"all output closed":                {"exec >&- 2>&- <&-; sleep 1000", "", atTimeout},
		"signals to PID 1":                 {"trap '' $(seq 31); for s in $(seq 31); do kill -$s 1; done; exec sleep 1000", "", atTimeout},
		"SIGTERM by way of PID 1":          {"kill -TERM 1; sleep 1000", "", 128 + 15},
		"SIGSTOP to itself":                {"kill -STOP $$", "", atTimeout},
		"SIGSTOP to all":                   {"sleep 1000 & sleep 1000 & kill -STOP -1; kill -STOP $$", "", atTimeout},
		"SIGKILL to all":                   {"sleep 1000 & setsid sleep 1000 & kill -KILL -1; exit 3", "", 3},
		"uninterruptible sleep":            {"/probe vfork", "uninterruptible\n", atTimeout},
		"uninterruptible sleep beside":     {"mkfifo /tmp/p; /probe vfork >/tmp/p & read x </tmp/p; echo $x; exit 3", "uninterruptible\n", 3},
		"child held at its exit":           {"/probe trace-exit", "held\n", atTimeout},
		"PID 1 held by a tracer":           {"/probe trace-init || sleep 1000", "", atTimeout}, // Yama may forbid it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 2 * time.Second
			if c.status != atTimeout {
				timeout = 20 * time.Second // a bomb leaves a job little time
			}
			res := runHostile(t, c.script, timeout)
			require.Equal(t, map[string]string{"/workspace/file": "ready\n"}, texts(res))
			require.Contains(t, string(res.Logs), "ready\n")
			require.Contains(t, string(res.Logs), c.says)
			require.Equal(t, c.status == atTimeout, res.TimedOut, "status %d, out of memory: %t, %s", res.ExitCode, res.OOMKilled, res.Logs)
			if c.status != atTimeout {
				require.Equal(t, c.status, res.ExitCode, "%s", res.Logs)
			}
		})
	}
}

// bombMB is enough for a fork bomb of 64 processes. What a fork that fails has taken of the
// kernel's memory is given back late, and later on a busy machine: 40 MB were seen.
const bombMB = 256

// runHostile runs a script and checks that it is over in time.
func runHostile(t *testing.T, script string, timeout time.Duration) sandbox.Result {
	t.Helper()
	j := collecting("echo ready >/workspace/file; echo ready; "+script, "/workspace/file")
	j.Image = enginetest.BusyboxWithProbe()
	j.Limits.PIDs, j.Limits.MemoryMB, j.Limits.CPUs, j.Limits.Timeout = 64, bombMB, 1, timeout
	bound := promptly(t)
	var started time.Time
	j.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
		if started.IsZero() {
			started = time.Now()
		}
		return len(p), nil
	})
	res := runtest.OK(t, j)
	require.NotZero(t, started, "nothing has reached Stdout: %+v, %q", res, res.Logs)
	require.Less(t, time.Since(started), timeout+bound)
	return res
}
