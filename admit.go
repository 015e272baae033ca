package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// checkAgainst validates what only the engine can tell: what it enforces, where
// its data is, and which networks it has.
func (r *Runner) checkAgainst(ctx context.Context, engine dockerx.Engine, p plan) error {
	var bad problems
	bad.enforced(engine, r.runtime, p.limits)
	if engine.RootDir != "" {
		bad.sources(p.mounts, r.engine.Host(), []string{engine.RootDir})
	}
	if p.limits.userDefined() {
		if err := r.engine.CheckNetwork(ctx, p.limits.Network); err != nil {
			bad.add("Limits.Network %w", err)
		}
	}
	return errors.Join(bad...)
}

// enforced refuses what an engine would accept and not do.
func (p *problems) enforced(engine dockerx.Engine, runtime string, l Limits) {
	switch {
	case engine.Seccomp == "":
		p.add("%w: its kernel, or its build, has no seccomp", ErrUnsupported)
	case engine.Seccomp == "unconfined" && !engine.KnowsBuiltin:
		p.add("%w: it runs containers without seccomp; start dockerd without --seccomp-profile=unconfined", ErrUnsupported)
	}
	if _, known := engine.Runtimes[runtime]; runtime != "" && !known {
		p.add("Options.Runtime %q: %w; it has %v", runtime, ErrUnsupported, slices.Sorted(maps.Keys(engine.Runtimes)))
	}
	const use = "its host, or the runtime, has no such limit in its cgroups; use 0"
	enforced := engine.EnforcedBy(runtime)
	if l.CPUs > 0 && !enforced.CPU {
		p.add("Limits.CPUs %v: %w; %s", l.CPUs, ErrUnsupported, use)
	}
	if l.MemoryMB > 0 && !enforced.Memory {
		p.add("Limits.MemoryMB %d: %w; %s", l.MemoryMB, ErrUnsupported, use)
	}
	if l.PIDs > 0 && !enforced.PIDs {
		p.add("Limits.PIDs %d: %w; %s", l.PIDs, ErrUnsupported, use)
	}
}

// explainCreate names the field when only the engine can tell that a working
// directory is a file, or that a mount's source is missing.
func (p plan) explainCreate(err error) error {
	if p.workDir != "" && strings.HasSuffix(err.Error(), "Cannot mkdir: "+p.workDir+" is not a directory") {
		return fmt.Errorf("WorkDir %q is a file of the image; want a directory: %w", p.workDir, err)
	}
	if !errdefs.IsInvalidArgument(err) {
		return err
	}
	for i, m := range p.mounts {
		if strings.HasSuffix(err.Error(), "bind source path does not exist: "+m.Source) {
			return fmt.Errorf("Mounts[%d].Source %q does not exist on the engine's host; create it first: %w", i, m.Source, err)
		}
	}
	return err
}
