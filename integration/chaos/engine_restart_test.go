//go:build docker

package chaos_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// One Runner goes on with an engine that was started again with another configuration
// between two of its runs.
func TestRunnerOutlivesItsEngine(t *testing.T) {
	t.Parallel()
	const withRuntime, without = `{"runtimes": {"mine": {"path": "runc"}}}`, `{}`
	e := enginetest.NewPrivateEngine(t, enginetest.Setup{Config: withRuntime})
	image := e.Busybox(t)
	r, err := sandbox.New(sandbox.Options{Host: e.Host, Runtime: "mine"})
	require.NoError(t, err)
	run := func() (sandbox.Result, error) {
		return r.RunOnce(context.Background(), sandbox.Job{
			Image: image, Cmd: []string{"echo", "ran"}, Limits: sandbox.Limits{Network: "none"},
		})
	}
	for i, config := range []string{withRuntime, without, withRuntime} {
		if i > 0 {
			e.Order(t, "kill")
			e.Configure(t, config)
			e.Start(t)
		}
		for range 2 {
			res, err := run()
			if config == without {
				require.ErrorIs(t, err, sandbox.ErrUnsupported)
				runtest.RequireStep(t, err, sandbox.OpValidate)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "ran\n", string(res.Logs))
		}
		report, err := r.Sweep(context.Background())
		require.NoError(t, err)
		require.Equal(t, sandbox.SweepReport{}, report)
	}
	require.NoError(t, r.Close())
	require.Empty(t, e.Left(t))
}
