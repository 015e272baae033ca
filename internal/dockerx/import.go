package dockerx

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
)

// Import makes an image of a root file system, a tar; changes are instructions of a Dockerfile.
func Import(ctx context.Context, api *client.Client, ref string, rootfs io.Reader, changes ...string) error {
	body, err := api.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		return err
	}
	defer body.Close()
	for answer := json.NewDecoder(body); ; { // a failure is in the body of a successful answer
		var message struct{ Error string }
		switch err := answer.Decode(&message); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case message.Error != "":
			return errors.New(message.Error)
		}
	}
}

// HasImage tells whether the engine has an image.
func (c *Client) HasImage(ctx context.Context, ref string) (bool, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	_, err := c.api().ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, cause(ctx, err)
}

// RemoveImage removes an image that no container uses.
func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	_, err := c.api().ImageRemove(ctx, ref, image.RemoveOptions{Force: true, PruneChildren: true})
	return err
}

// Info is what the engine says of itself, for people.
func (c *Client) Info(ctx context.Context) (system.Info, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	info, err := c.api().Info(ctx)
	return info, cause(ctx, err)
}
