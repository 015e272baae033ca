//go:build docker

package behaviour_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/behaviour"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// TestPromises checks the table of cases, and that no run leaves anything.
func TestPromises(t *testing.T) {
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	for _, c := range behaviour.Cases(enginetest.Busybox()) {
		t.Run(c.Name, func(t *testing.T) {
			if !c.Alone {
				t.Parallel()
			}
			require.NoError(t, c.Check(t.Context(), func(ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
				res, id, err := runtest.RunWith(ctx, r, j)
				enginetest.AssertNothingLeft(t, id)
				return res, err
			}))
		})
	}
}
