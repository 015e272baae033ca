package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// checkAgainst validates what only the engine can tell: where its data is, and
// which networks it has.
func (r *Runner) checkAgainst(ctx context.Context, engine dockerx.Engine, p plan) error {
	var bad problems
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
