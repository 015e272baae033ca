package dockerx

import (
	"context"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
)

// CreateVolume makes a local volume by a name that the caller chose, as
// [Client.Create] does a container. It returns the volume's directory on the engine's
// host.
func (c *Client) CreateVolume(ctx context.Context, name string, options, labels map[string]string) (string, error) {
	ctx, cancel := c.detached(ctx)
	defer cancel()
	v, err := c.api().VolumeCreate(ctx, volume.CreateOptions{Name: name, Driver: "local", DriverOpts: options, Labels: labels})
	return v.Mountpoint, cause(ctx, err)
}

// RemoveVolume removes a volume by name, as [Client.Remove] does a container.
// While a container refers to it, it is tried again.
func (c *Client) RemoveVolume(ctx context.Context, name string, unsure time.Duration) error {
	return c.untilGone(ctx, "volume "+name, unsure, func(ctx context.Context) error {
		return c.api().VolumeRemove(ctx, name, false)
	})
}

// RemoveUnused removes a container that never started and the volume of the same name, or
// fails if another container refers to that. It tries once.
func (c *Client) RemoveUnused(ctx context.Context, name string) error {
	ctx, cancel := c.slow(ctx)
	defer cancel()
	err := c.api().ContainerRemove(ctx, name, container.RemoveOptions{})
	if err == nil || errdefs.IsNotFound(err) {
		err = c.api().VolumeRemove(ctx, name, false)
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return cause(ctx, err)
}
