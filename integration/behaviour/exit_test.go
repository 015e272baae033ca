//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 1, 2, 125, 126, 127, 137, 255} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			res := runtest.OK(t, runtest.Shell(fmt.Sprintf("exit %d", status)))
			require.Equal(t, status, res.ExitCode)
			require.False(t, res.TimedOut)
			require.Contains(t, res.ImageID, "sha256:")
			require.Nil(t, res.Logs)
		})
	}
}

// A command that cannot be executed is the job's failure, not the run's, as in
// a shell.
func TestExitOfMissingCommand(t *testing.T) {
	t.Parallel()
	for command, status := range map[string]int{"/no/such/command": 127, "no-such-command": 127, "/etc/os-release": 126} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			res := runtest.OK(t, sandbox.Job{Image: enginetest.Busybox(), Cmd: []string{command}, Limits: sandbox.Limits{Network: "none"}})
			require.Equal(t, status, res.ExitCode)
			require.Contains(t, string(res.Logs), command, "the init's line")
		})
	}
}

// Stdout writes lower case letters, stderr upper case ones, so that the two can
// be told apart however they are interleaved.
func TestOutputIsExactWithinEachStream(t *testing.T) {
	t.Parallel()
	res := runtest.OK(t, runtest.Shell(`awk 'BEGIN { for (i = 0; i < 20000; i++) {
		printf "%c%c\n", 97+i%26, 97+int(i/26)%26
		printf "%c%c\t", 65+i%26, 65+int(i/26)%26 > "/dev/stderr" } }'`))
	var stdout, stderr strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&stdout, "%c%c\n", 97+i%26, 97+i/26%26)
		fmt.Fprintf(&stderr, "%c%c\t", 65+i%26, 65+i/26%26)
	}
	only := func(chars string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(chars, r) {
				return r
			}
			return -1
		}, string(res.Logs))
	}
	require.True(t, stdout.String() == only("abcdefghijklmnopqrstuvwxyz\n"))
	require.True(t, stderr.String() == only("ABCDEFGHIJKLMNOPQRSTUVWXYZ\t"))
	require.Len(t, res.Logs, stdout.Len()+stderr.Len())
}

func TestOutputIsComplete(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("0123456789abcde\n"), 5<<20/16)
	for i := range 50 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			res := runtest.OK(t, runtest.Shell("yes 0123456789abcde | head -c 5242879; printf '\n'"))
			require.True(t, bytes.Equal(want, res.Logs), "got %d of %d bytes", len(res.Logs), len(want))
			require.Zero(t, res.LogsDropped)
		})
	}
}

func TestLastByteBeforeExit(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			require.Equal(t, "x", runtest.Output(t, runtest.Shell("printf x")))
		})
	}
}

func TestOutputBytesAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a\x00b\xff\r\n\x1b[0m", runtest.Output(t, runtest.Shell(`printf 'a\000b\377\r\n\033[0m'`)))
}

// It measures what the process allocates, so nothing else may run beside it.
func TestOutputOverTheCap(t *testing.T) {
	j := runtest.Shell("printf HEAD; yes | head -c 100000000; printf TAIL")
	j.Limits.LogBytes = 1 << 20
	enginetest.Busybox() // made before the measurement
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res := runtest.OK(t, j)
	runtime.ReadMemStats(&after)

	const written = 100000000 + 8
	require.EqualValues(t, written-j.Limits.LogBytes, res.LogsDropped)
	marker := fmt.Sprintf("\n[sandbox: %d bytes dropped]\n", res.LogsDropped)
	require.EqualValues(t, j.Limits.LogBytes, len(res.Logs)-len(marker))
	head, tail, found := strings.Cut(string(res.Logs), marker)
	require.True(t, found)
	require.Len(t, head, 1<<19)
	require.True(t, strings.HasPrefix(head, "HEADy\n"))
	require.Len(t, tail, 1<<19)
	require.True(t, strings.HasSuffix(tail, "y\nTAIL"))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "bytes allocated for 100 MB of output")
}

// The output's end and the exit can be told in any distance.
func TestExitToldLate(t *testing.T) {
	t.Parallel()
	b := bounds.Default()
	b.Drain = 5 * time.Millisecond
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	for range 5 {
		res, err := r.RunOnce(bounds.With(context.Background(), b), runtest.Shell("echo x; exit 3"))
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
		require.Equal(t, "x\n", string(res.Logs))
	}
	require.NoError(t, r.Close())
}
