package dockerx

import "github.com/synchestra-io/sandbox/isolation"

// Preset is the hardening of every container that runs on the engine: the fixed preset, with
// the seccomp profile that the engine takes.
func (e Engine) Preset() isolation.Preset {
	return isolation.Preset{
		StrictSeccomp:  e.TakesProfile && !e.OwnersSeccomp(),
		BuiltinSeccomp: e.KnowsBuiltin && !e.OwnersSeccomp(),
		Podman:         e.Podman,
	}
}

// Limited gives p the limits of a container of our own, as far as the engine enforces them and
// has so many CPUs.
func (e Engine) Limited(p isolation.Preset, memoryBytes, nanoCPUs, pids int64) isolation.Preset {
	enforced := e.EnforcedBy(p.Runtime)
	if enforced.Memory {
		p.MemoryBytes = memoryBytes
	}
	if enforced.CPU {
		p.NanoCPUs = nanoCPUs
		if e.CPUs > 0 {
			p.NanoCPUs = min(nanoCPUs, int64(e.CPUs)*1_000_000_000)
		}
	}
	if enforced.PIDs {
		p.PidsLimit = pids
	}
	return p
}
