//go:build docker && gvisor

package attacks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// The sandbox withstands every attack on gVisor too.
func TestGVisorAttacks(t *testing.T) {
	host := enginetest.NewPrivateEngine(t, enginetest.GVisor).Host
	r, err := sandbox.New(sandbox.Options{Host: host, Runtime: "runsc"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	makeAll(t, attacks.Options{Run: r.RunOnce, Host: host})
}
