//go:build docker

package behaviour_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/integration/internal/runtest"
)

// memoryHog needs more memory than the job may have.
const memoryHog = `tail -c 200000000 /dev/zero`

// A busy engine loses reports, so nothing runs beside this test. It never invents one.
func TestOOMKilled(t *testing.T) {
	for _, c := range []struct {
		script string
		status int
		oom    bool
	}{
		{"exec " + memoryHog, 137, true},              // the main process
		{memoryHog + "; exit 7", 7, true},             // a child
		{memoryHog + " & wait; exit 0", 0, true},      // a child, and nobody minds
		{"setsid " + memoryHog + "; exit 0", 0, true}, // a grandchild of another session
		{"kill -9 $$", 137, false},                    // no memory in it
		{"exit 137", 137, false},                      // nor here
		{"head -c 1000000 /dev/zero | wc -c", 0, false},
	} {
		t.Run(c.script, func(t *testing.T) {
			j := runtest.Shell(c.script)
			j.Limits.MemoryMB = 32
			j.Limits.Timeout = time.Minute
			run := runtest.OK
			if c.oom {
				run = runtest.Starved
			}
			res := run(t, j)
			require.Equal(t, c.status, res.ExitCode, "%s", res.Logs)
			require.Equal(t, c.oom, res.OOMKilled)
		})
	}
}

// A kill at the timeout is not one for memory.
func TestTimeoutIsNoOOM(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("sleep 100")
	j.Limits.MemoryMB, j.Limits.Timeout = 32, time.Second
	res := runtest.OK(t, j)
	require.True(t, res.TimedOut)
	require.False(t, res.OOMKilled)
	require.InDelta(t, time.Second, res.Duration, float64(900*time.Millisecond))
}

// A busy engine notes the start late: a short command can seem to take no time.
func TestDuration(t *testing.T) {
	t.Parallel()
	short, long := runtest.OK(t, runtest.Shell("sleep 1")).Duration, runtest.OK(t, runtest.Shell("sleep 3")).Duration
	require.Positive(t, short)
	require.InDelta(t, 2*time.Second, long-short, float64(900*time.Millisecond), fmt.Sprint(short, long))
}
