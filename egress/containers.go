package egress

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/upload"
	"github.com/synchestra-io/sandbox/internal/verify"
	"github.com/synchestra-io/sandbox/isolation"
)

// The proxy's limits. What clients and servers make the kernel keep for connections counts as
// its memory.
const (
	memoryBytes = 1 << 30
	nanoCPUs    = 2_000_000_000
	pidsLimit   = 128
)

// Those of a container that holds a namespace. A runtime needs some megabytes for its start.
const (
	holderMemory   = 64 << 20
	holderNanoCPUs = 500_000_000
	holderPIDs     = 64
)

// makeProxy makes the volume that the proxy shares with the runs' namespaces, and the proxy's
// container. No job ever has the volume.
func (g *Gateway) makeProxy(ctx context.Context) (dockerx.Check, error) {
	err := g.undo.Create(ctx, cleanup.Volume, g.volume(), func(ctx context.Context, unsure time.Duration) error {
		return g.client.RemoveVolume(ctx, g.volume(), unsure)
	}, func(ctx context.Context) error {
		_, err := g.client.CreateVolume(ctx, g.volume(), nil, g.labels)
		return err
	})
	if err != nil {
		return nil, err
	}
	preset := g.engine.Limited(g.engine.Preset(), memoryBytes, nanoCPUs, pidsLimit)
	preset.NetworkMode = "bridge"
	config := isolation.Config(g.image.ID, []string{"serve", g.sockets()}, nil, "/", g.labels, true)
	check, err := g.createContainer(ctx, g.name(), config, preset)
	if err != nil {
		return nil, err
	}
	return check, upload.Tar(ctx, g.client, g.name(), g.directory(), nil, func(w io.Writer) error {
		out := tar.NewWriter(w)
		err := out.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: path.Base(g.sockets()) + "/", Mode: 0o700, Uid: isolation.UID, Gid: isolation.GID,
		})
		return errors.Join(err, out.Close())
	})
}

// makeNamespace makes the container that holds the network namespace of a run.
func (g *Gateway) makeNamespace(ctx context.Context, run string) (dockerx.Check, error) {
	config := isolation.Config(g.image.ID, []string{"join", g.sockets(), run}, nil, "/", labelsOf(run), false)
	preset := g.engine.Limited(g.engine.Preset(), holderMemory, holderNanoCPUs, holderPIDs)
	return g.createContainer(ctx, owner.EgressName(run), isolation.Offline(config), preset)
}

// name is that of the proxy's container.
func (g *Gateway) name() string { return owner.EgressName(g.id) }

// volume is the name of the gateway's volume.
func (g *Gateway) volume() string { return owner.NamePrefix + g.id + "-0" }

// directory is where all containers of the gateway have the volume, a path that no image has.
func (g *Gateway) directory() string { return path.Join("/", g.name()) }

// sockets is the directory with the proxy's socket, which belongs to its user.
func (g *Gateway) sockets() string { return path.Join(g.directory(), "sockets") }

// labelsOf are those of what may be there as long as its process. Without it the containers end by
// themselves.
func labelsOf(id string) map[string]string { return owner.Labels(id, time.Time{}) }

// createContainer makes a container of the gateway's, which removes itself when its program
// ends. It returns what to ask about it before the start: whether the engine made what it was
// sent.
func (g *Gateway) createContainer(ctx context.Context, name string, config *container.Config, preset isolation.Preset) (dockerx.Check, error) {
	preset.AutoRemove = true
	preset.Mounts = []mount.Mount{isolation.Volume(g.volume(), g.directory(), g.labels)}
	host := preset.HostConfig()
	sent := verify.Sent{Host: host, Config: config, Image: &verify.Image{
		ID: g.image.ID, Env: g.image.Env, Entrypoint: g.image.Entrypoint, WorkingDir: g.image.WorkDir, Volumes: g.image.Volumes,
	}, DefaultRuntime: g.engine.DefaultRuntime, CountsSwap: g.engine.CountsSwap}
	check := func(got container.InspectResponse) error { return verify.Container(sent, got) }
	return check, g.undo.Create(ctx, cleanup.Container, name, func(ctx context.Context, unsure time.Duration) error {
		return g.client.Remove(ctx, name, unsure)
	}, func(ctx context.Context) error {
		return g.client.Create(ctx, name, config, host, "")
	})
}
