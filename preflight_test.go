package sandbox

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// With a network stack of its own, the job would not be where the proxy is.
func TestEgressNeedsTheUsualRuntime(t *testing.T) {
	name := owner.EgressName(owner.RandomID())
	for want, c := range map[string]struct {
		engine  dockerx.Engine
		runtime string
	}{
		`this is "runsc"`: {dockerx.Engine{DefaultRuntime: "runc"}, "runsc"},
		`this is "kata"`:  {dockerx.Engine{DefaultRuntime: "kata"}, ""},
		`this is "crun"`:  {dockerx.Engine{DefaultRuntime: "crun", Podman: true}, ""},
		`needs Docker`:    {dockerx.Engine{DefaultRuntime: "runc", Podman: true}, ""},
	} {
		var bad validate.FieldErrors
		p := plan{}
		p.join(context.Background(), &bad, "Setup.Network", name, nil, c.engine, c.runtime)
		require.ErrorIs(t, bad.Err(), ErrUnsupported)
		require.ErrorContains(t, bad.Err(), `Setup.Network "`+name+`"`)
		require.ErrorContains(t, bad.Err(), want)
		require.Empty(t, p.joined)
	}
}
