//go:build docker

package attacks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
)

// The sandbox with its defaults withstands every attack.
func TestAttacks(t *testing.T) {
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	makeAll(t, attacks.Options{Run: r.RunOnce})
}
