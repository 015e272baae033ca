package sandbox

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/isolation"
)

// The holder has what the engine enforces: a limit that it discards would be taken for
// an edited one. Another default runtime, whose own processes may count, is not used.
func TestHolderPreset(t *testing.T) {
	all := dockerx.Limits{CPU: true, Memory: true, PIDs: true}
	runc, both := map[string][]string{"runc": nil}, map[string][]string{"runc": nil, "runsc": nil}
	limited := isolation.Preset{NanoCPUs: holderNanoCPUs, MemoryBytes: holderMemory, PidsLimit: holderPIDs}
	strict, other := limited, limited
	strict.StrictSeccomp = true
	other.Runtime = "runc"
	for name, c := range map[string]struct {
		engine dockerx.Engine
		want   isolation.Preset
	}{
		"usual":             {dockerx.Engine{Enforces: all, Runtimes: runc, DefaultRuntime: "runc", Seccomp: "builtin", TakesProfile: true}, strict},
		"owner's seccomp":   {dockerx.Engine{Enforces: all, Runtimes: runc, DefaultRuntime: "runc", Seccomp: "/etc/seccomp.json", TakesProfile: true}, limited},
		"gVisor by default": {dockerx.Engine{Enforces: all, Runtimes: both, DefaultRuntime: "runsc"}, other},
		"without runc":      {dockerx.Engine{Enforces: all, Runtimes: map[string][]string{"crun": nil}, DefaultRuntime: "crun"}, limited},
		"no PIDs":           {dockerx.Engine{Enforces: dockerx.Limits{CPU: true, Memory: true}, DefaultRuntime: "runc"}, isolation.Preset{NanoCPUs: holderNanoCPUs, MemoryBytes: holderMemory}},
		"no cgroups":        {dockerx.Engine{DefaultRuntime: "runc"}, isolation.Preset{}},
	} {
		require.Equal(t, c.want, holderPreset(c.engine), name)
	}
}
