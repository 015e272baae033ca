package attacks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/rootfs"
)

// RunFunc runs one job in the sandbox under attack, such as sandbox.RunOnce or the
// method of a Runner.
type RunFunc func(context.Context, sandbox.Job) (sandbox.Result, error)

// Options says what to attack. Run is required.
type Options struct {
	Run RunFunc
	// Host is the address of the engine that Run uses, which must be on this machine.
	// "" = DOCKER_HOST, or the local socket if that is not set.
	Host string
	// Image is the name of an image with the files of the attack image. If it is "",
	// Open builds the probe, imports the attack image, and Close removes it.
	Image string
	// Probe returns a static program for Linux that calls probe.Main if probe.Is says so; nil =
	// it is built, with the go command, from this module's source.
	Probe func() ([]byte, error)
	// API is a client of the engine that Run uses, which Close does not close; nil = one is made
	// for Host.
	API *client.Client
}

// probeMarker is probe.Marker, which exists on Linux alone.
const probeMarker = "SANDBOX_PROBE"

// Fixture is what all attacks share. It is safe for concurrent use.
type Fixture struct {
	sandbox RunFunc
	api     *client.Client
	ownAPI  bool   // Open made it
	image   string // the name of the attack image
	mine    bool   // Open imported the image
	dir     string // for the probe that runs outside the sandbox

	refused map[string]bool // the limits that the sandbox refuses, by name
	gvisor  bool            // runs have gVisor's kernel

	cgroupV1 bool // the engine has cgroup v1

	// probe returns the path of a probe on this machine.
	probe func() (string, error)
}

// Open prepares the attacks: it provides the image and finds out which limits the
// sandbox refuses on this engine, and whether runs have gVisor's kernel. Building
// the probe needs the go command, called in this module or in one that requires it.
func Open(ctx context.Context, o Options) (*Fixture, error) {
	f := &Fixture{sandbox: o.Run, image: o.Image}
	if err := f.open(ctx, o); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fixture) open(ctx context.Context, o Options) (err error) {
	if o.Run == nil {
		return errors.New("attacks: Options.Run is missing")
	}
	if f.api = o.API; f.api == nil {
		if f.api, err = newClient(o.Host); err != nil {
			return err
		}
		f.ownAPI = true
	}
	if f.dir, err = os.MkdirTemp("", "attacks"); err != nil {
		return err
	}
	if o.Probe == nil {
		o.Probe = rootfs.Probe
	}
	f.probe = sync.OnceValues(func() (string, error) { return f.writeProbe(o.Probe) })
	if f.image == "" {
		if err := f.importImage(ctx, o.Probe); err != nil {
			return fmt.Errorf("the attack image: %w", err)
		}
	}
	info, err := f.api.Info(ctx)
	if err != nil {
		return err
	}
	f.cgroupV1 = info.CgroupVersion != "2"
	if f.refused, err = f.findRefusedLimits(ctx); err != nil {
		return err
	}
	f.gvisor, err = f.findGVisor(ctx)
	return err
}

// newClient takes TLS and the API version from the environment, as runs do.
func newClient(host string) (*client.Client, error) {
	address := client.WithHostFromEnv()
	if host != "" {
		address = client.WithHost(host)
	}
	return client.NewClientWithOpts(client.WithTLSClientConfigFromEnv(), address, client.WithVersionFromEnv(), client.WithAPIVersionNegotiation())
}

func (f *Fixture) importImage(ctx context.Context, probe func() ([]byte, error)) error {
	files, err := imageFiles(probe)
	if err != nil {
		return err
	}
	ref := "sandbox-" + newToken() + "/probe:attack"
	if err := dockerx.Import(ctx, f.api, ref, files); err != nil {
		return err
	}
	f.image, f.mine = ref, true
	return nil
}

// writeProbe is called once, on first use: with an image of the caller's the go
// command may not be there, and most attacks do not need it.
func (f *Fixture) writeProbe(probe func() ([]byte, error)) (string, error) {
	binary, err := probe()
	if err != nil {
		return "", err
	}
	path := filepath.Join(f.dir, "probe")
	return path, os.WriteFile(path, binary, 0o755)
}

// Close removes what Open made. No attack may be under way.
func (f *Fixture) Close() error {
	var errs []error
	if f.mine {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := f.api.ImageRemove(ctx, f.image, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
			errs = append(errs, fmt.Errorf("the attack image %s is left on the engine: %w", f.image, err))
		}
	}
	if f.dir != "" {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	if f.ownAPI {
		errs = append(errs, f.api.Close())
	}
	return errors.Join(errs...)
}
