//go:build linux && vm

package pause

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The same on an emulated processor, which tells what the program asks of the kernel.
func TestProgramRunsOnARM64(t *testing.T) {
	log, err := os.Create(filepath.Join(t.TempDir(), "calls"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command("qemu-aarch64", "-strace", written(t, "arm64"))
	cmd.Stderr = log
	calls := func() []byte {
		text, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		return text
	}
	requireSleepsUntilKilled(t, cmd, func() {
		asked := func() bool { return bytes.Contains(calls(), []byte("ppoll(")) }
		require.Eventually(t, asked, 5*time.Second, time.Millisecond, "%s", calls())
	})
	require.Equal(t, bytes.Count(calls(), []byte("ppoll(")), bytes.Count(calls(), []byte("(")), "it asks for more: %s", calls())
}
