//go:build docker

package attacks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
	"github.com/synchestra-io/sandbox/integration/attacks/attackstest"
)

// The sandbox with its defaults withstands every attack.
func TestAttacks(t *testing.T) {
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	attackstest.Run(t, attacks.Options{Run: r.RunOnce})
}
