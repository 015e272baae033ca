package dockerx

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
)

// CheckNetwork accepts the name of a user-defined network that a container may
// join. The engine also resolves IDs and prefixes of IDs; those are refused, as
// they could name the host's network.
func (c *Client) CheckNetwork(ctx context.Context, name string) error {
	ctx, cancel := c.short(ctx)
	defer cancel()
	found, err := c.api().NetworkInspect(ctx, name, network.InspectOptions{})
	switch {
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%q: the engine has no such network; create it first, or use \"none\" or \"bridge\"", name)
	case err != nil:
		return fmt.Errorf("%q: %w", name, cause(ctx, err))
	case found.Name != name:
		return fmt.Errorf("%q is the ID of network %q; use the name", name, found.Name)
	case found.Driver == "host" || found.Driver == "null":
		return fmt.Errorf("%q has the driver %q, which is not isolated; use \"none\" or \"bridge\"", name, found.Driver)
	}
	return nil
}
