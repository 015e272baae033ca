//go:build docker

package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/sandboxtest"
)

// The attacks of the conformance suite, on this package as it is.
func TestAttacks(t *testing.T) {
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	sandboxtest.Run(t, r.RunOnce)
}
