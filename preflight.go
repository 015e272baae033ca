package sandbox

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// preflight validates what only the engine can tell: what it enforces, where its
// data is, and which networks it has. It notes those that are internal, and those of egress
// gateways.
func (p *plan) preflight(ctx context.Context, client *dockerx.Client, engine dockerx.Engine, runtime string) error {
	var bad validate.FieldErrors
	p.limits.checkEnforced(&bad, engine, runtime)
	if engine.RootDir != "" {
		bad.HostPaths(p.sources(), client.Host(), []string{engine.RootDir})
	}
	if engine.Podman {
		p.checkPodman(&bad, engine, runtime)
	}
	networks := map[string]string{"Limits.Network": p.network}
	if p.hasSetup() {
		networks["Setup.Network"] = p.setup.network
	}
	for _, field := range slices.Sorted(maps.Keys(networks)) {
		name := networks[field]
		switch {
		case name == noNetwork || name == DefaultNetwork:
		case owner.IsEgress(name):
			p.join(ctx, &bad, field, name, client, engine, runtime)
		default:
			internal, err := client.CheckNetwork(ctx, name)
			switch {
			case err != nil:
				bad.Add("%s %w", field, err)
			case internal:
				p.internal = append(p.internal, name)
			}
		}
	}
	return bad.Err()
}

// join notes the network namespace of a run of module egress.
func (p *plan) join(ctx context.Context, bad *validate.FieldErrors, field, name string, client *dockerx.Client, engine dockerx.Engine, runtime string) {
	if by := cmp.Or(runtime, engine.DefaultRuntime); engine.Podman || by != usualRuntime {
		bad.Add("%s %q: %w; an egress gateway needs Docker and its runtime %q, and this is %q", field, name, ErrUnsupported, usualRuntime, by)
		return
	}
	id, err := client.CheckNamespace(ctx, name, func(labels map[string]string) bool { return owner.Ours(name, labels) })
	if err != nil {
		bad.Add("%s %w; join the gateway again, and use the engine that it is on", field, err)
		return
	}
	if p.joined == nil {
		p.joined = map[string]string{}
	}
	p.joined[name] = id
}

// checkEnforced refuses what an engine would accept but not enforce.
func (l Limits) checkEnforced(p *validate.FieldErrors, engine dockerx.Engine, runtime string) {
	switch {
	case engine.Seccomp == "":
		p.Add("%w: its kernel or its build has no seccomp", ErrUnsupported)
	case engine.Seccomp == "unconfined" && !engine.KnowsBuiltin:
		p.Add("%w: it runs containers without seccomp; start dockerd without --seccomp-profile=unconfined", ErrUnsupported)
	}
	if l.DiskMB > 0 && engine.Rootless && !engine.Podman {
		p.Add("Limits.DiskMB %d: %w; rootless Docker mounts no part of a volume that has a size; use 0 for no cap", l.DiskMB, ErrUnsupported)
	}
	if _, known := engine.Runtimes[runtime]; runtime != "" && !known {
		p.Add("Options.Runtime %q: %w; it has %v", runtime, ErrUnsupported, slices.Sorted(maps.Keys(engine.Runtimes)))
	}
	const use = "its cgroups or its runtime cannot enforce the limit; use 0 for no limit"
	enforced := engine.EnforcedBy(runtime)
	if l.CPUs > 0 && !enforced.CPU {
		p.Add("Limits.CPUs %v: %w; %s", l.CPUs, ErrUnsupported, use)
	}
	if l.MemoryMB > 0 && !enforced.Memory {
		p.Add("Limits.MemoryMB %d: %w; %s", l.MemoryMB, ErrUnsupported, use)
	}
	if l.PIDs > 0 && !enforced.PIDs {
		p.Add("Limits.PIDs %d: %w; %s", l.PIDs, ErrUnsupported, use)
	}
}
