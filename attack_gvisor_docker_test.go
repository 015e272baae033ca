//go:build docker && gvisor

package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
)

// The attacks of the conformance suite, on gVisor.
func TestGVisorAttacks(t *testing.T) {
	t.Setenv("DOCKER_HOST", sandbox.NewGVisorEngine(t))
	r, err := sandbox.New(sandbox.Options{Runtime: "runsc"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	attacks.Run(t, r.RunOnce)
}
