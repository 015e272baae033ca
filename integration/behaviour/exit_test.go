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

func TestOutputIsComplete(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("0123456789abcde\n"), 5<<20/16)
	for i := range 20 {
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

// This test measures what the process allocates, so nothing else may run beside it.
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

// Any time may pass between the end of the output and the report of the exit.
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
