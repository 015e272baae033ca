package dockerx

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
)

// CheckNetwork accepts the name of a user-defined network that a container may
// join, and tells whether it is internal. The engine also resolves IDs and prefixes of IDs;
// those are refused, as they could name the host's network.
func (c *Client) CheckNetwork(ctx context.Context, name string) (internal bool, err error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	found, err := c.api().NetworkInspect(ctx, name, network.InspectOptions{})
	switch {
	case errdefs.IsNotFound(err):
		return false, fmt.Errorf("%q: the engine has no such network; create it first, or use \"none\" or \"bridge\"", name)
	case err != nil:
		return false, fmt.Errorf("%q: %w", name, cause(ctx, err))
	case found.Name != name:
		return false, fmt.Errorf("%q is the ID of network %q; use the name", name, found.Name)
	case found.Driver == "host" || found.Driver == "null":
		return false, fmt.Errorf("%q has the driver %q, which is not isolated; use \"none\" or \"bridge\"", name, found.Driver)
	}
	return found.Internal, nil
}

// CheckNamespace accepts a running container whose network namespace another one may join,
// since it has the loopback interface alone, and returns its ID.
func (c *Client) CheckNamespace(ctx context.Context, name string, labels func(map[string]string) bool) (id string, err error) {
	found, err := c.inspect(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return "", fmt.Errorf("%q: %w", name, ErrGone)
	case err != nil:
		return "", fmt.Errorf("%q: %w", name, err)
	case found.Config == nil || found.HostConfig == nil || !labels(found.Config.Labels):
		return "", fmt.Errorf("%q is not of this library", name)
	case !found.State.Running:
		return "", fmt.Errorf("%q has ended", name)
	case !found.Config.NetworkDisabled || !found.HostConfig.NetworkMode.IsNone():
		return "", fmt.Errorf("%q has a network", name)
	}
	return found.ID, nil
}
