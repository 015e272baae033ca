//go:build docker && vm

package attacks_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
)

// Where the kernel has them, it is the sandbox that keeps these families from a job.
func TestFamiliesThatTheKernelHas(t *testing.T) {
	const algorithms, vsock = 38, 40
	for family, kind := range map[int]int{algorithms: syscall.SOCK_SEQPACKET, vsock: syscall.SOCK_STREAM, syscall.AF_TIPC: syscall.SOCK_STREAM} {
		fd, err := syscall.Socket(family, kind, 0)
		require.NoError(t, err, "family %d outside of the sandbox", family)
		require.NoError(t, syscall.Close(fd))
	}
	pair, err := syscall.Socketpair(syscall.AF_TIPC, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, syscall.Close(pair[0]))
	require.NoError(t, syscall.Close(pair[1]))
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer r.Close()
	fixture, err := attacks.Open(t.Context(), attacks.Options{Run: r.RunOnce})
	require.NoError(t, err)
	made := 0
	for _, attack := range attacks.All() {
		switch attack.Name {
		case "af-alg", "af-vsock", "socket-families", "socketcall":
			o := fixture.Make(t.Context(), attack)
			require.Equal(t, attacks.Defended, o.Kind, "%s: %s", attack.Name, o)
			made++
		}
	}
	require.Equal(t, 4, made)
	require.NoError(t, fixture.Close())
}
