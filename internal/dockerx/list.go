package dockerx

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// Kinds of an Object.
const (
	KindContainer = "container"
	KindVolume    = "volume"
)

// Object is a container or a volume, as a list shows it.
type Object struct {
	Kind   string
	Name   string
	Labels map[string]string
}

// Containers lists the containers with a label, in every state. A list takes no
// container's lock, so it answers when everything else hangs.
func (c *Client) Containers(ctx context.Context, label string) ([]Object, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	found, err := c.api().ContainerList(ctx, container.ListOptions{All: true, Filters: labelled(label)})
	if err != nil {
		return nil, fmt.Errorf("list of containers: %w", cause(ctx, err))
	}
	var list []Object
	for _, f := range found {
		// Legacy links are further names, with a second slash.
		for _, name := range f.Names {
			if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
				list = append(list, Object{KindContainer, name, f.Labels})
			}
		}
	}
	return list, nil
}

// Volumes lists the volumes with a label.
func (c *Client) Volumes(ctx context.Context, label string) ([]Object, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	found, err := c.api().VolumeList(ctx, volume.ListOptions{Filters: labelled(label)})
	if err != nil {
		return nil, fmt.Errorf("list of volumes: %w", cause(ctx, err))
	}
	var list []Object
	for _, v := range found.Volumes {
		list = append(list, Object{KindVolume, v.Name, v.Labels})
	}
	return list, nil
}

func labelled(label string) filters.Args { return filters.NewArgs(filters.Arg("label", label)) }

// Clock asks for the engine's time.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	info, err := c.api().Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("engine information: %w", cause(ctx, err))
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return time.Time{}, fmt.Errorf("engine's time: %w", err)
	}
	return now, nil
}
