// Package dockerx is the only part of this module that speaks to the Docker
// Engine. Its methods are tasks, synchronous and bounded, and it hides what is
// awkward about the engine's Go SDK: two-channel waits, hijacked connections
// that ignore contexts, errors inside a pull's stream, and version gaps.
package dockerx

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// minAPI is the first API version that can ask for a private cgroup namespace and for a
// platform. It is that of the oldest engine that the tests run on (Docker 20.10).
const minAPI = "1.41"

// ErrUnsupported is wrapped by errors about an engine that cannot do what a
// run needs.
var ErrUnsupported = errors.New("not supported by this engine")

// Client is one engine. It is safe for concurrent use once Connect succeeded. The
// bounds of its calls are those of their contexts, see [bounds.From].
type Client struct {
	host    string      // as it is told
	address string      // for the SDK
	version string      // of the API, "" = the newest that both sides know
	calls   http.Client // through the pool
	pool    pool

	current atomic.Pointer[client.Client] // speaks the version that Connect agreed on last
	asked   atomic.Int64                  // the pool's losses when Connect asked, -1 = it did not
	ahead   atomic.Int64                  // of the Date of the last answer, before this machine's clock
	was     atomic.Int64                  // that when Connect had asked
	podman  atomic.Bool                   // that is who answered when Connect asked
}

// Address is where an engine is.
type Address struct {
	Host string // "" = DOCKER_HOST, or the local socket if that is not set
	// TLS is how it speaks TLS; nil = it does not. Unless Fixed is set,
	// DOCKER_TLS_VERIFY and DOCKER_CERT_PATH decide about addresses over TCP.
	TLS   *tls.Config
	Fixed bool
}

// New prepares a client for an engine. DOCKER_API_VERSION applies to it. New does no I/O
// except to read certificates.
func New(a Address) (*Client, error) {
	host := cmp.Or(a.Host, os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost)
	scheme, _, found := strings.Cut(host, "://")
	if found && !slices.Contains(schemes, scheme) {
		return nil, fmt.Errorf("engine address %q has the scheme %q; use one of %v", host, scheme, schemes)
	}
	c := &Client{host: host, address: host, version: os.Getenv(client.EnvOverrideAPIVersion)}
	c.asked.Store(-1)
	way := c.over(a)
	if scheme == "ssh" {
		way = c.overSSH
	}
	_, err := client.NewClientWithOpts(way, c.pool.dialFor, func(api *client.Client) error {
		c.calls = *api.HTTPClient() // before the SDK wraps its transport
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("engine configuration: %w", err)
	}
	api, err := c.newAPI(new(atomic.Bool))
	if err != nil {
		return nil, fmt.Errorf("engine configuration: %w", err)
	}
	c.current.Store(api)
	return c, nil
}

// newAPI makes a client of the SDK that has agreed on no API version, for the same
// connections. The SDK's own can only go down in versions, and not while it is in use.
// podman is set when Podman answers.
func (c *Client) newAPI(podman *atomic.Bool) (*client.Client, error) {
	calls := c.calls // a copy, to be wrapped when the SDK is done with it
	api, err := client.NewClientWithOpts(client.WithHost(c.address), client.WithHTTPClient(&calls),
		client.WithVersion(c.version), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	calls.Transport = watchHeaders{describeLinks{rejectHTML{calls.Transport}}, &c.ahead, podman}
	return api, nil
}

// API is the SDK's client, for what attacks an engine with it. Connect must have succeeded.
func (c *Client) API() *client.Client { return c.api() }

func (c *Client) api() *client.Client { return c.current.Load() }

// schemes of an engine's address.
var schemes = []string{"unix", "tcp", "npipe", "ssh", "http", "https"}

// Close releases idle connections. Attachments and downloads must be closed
// before.
func (c *Client) Close() { c.api().Close() } // it never fails

// Host is the engine's address, such as "unix:///var/run/docker.sock".
func (c *Client) Host() string { return c.host }

// Engine is what a run needs to know about the engine.
type Engine struct {
	CPUs         int    // number of CPUs
	Architecture string // in Go's spelling, such as "amd64"
	RootDir      string // the engine's data, such as "/var/lib/docker"
	Enforces     Limits
	CountsSwap   bool // it can limit swap; where not, it reports a limit of -1
	// Seccomp is the profile that containers get: "builtin" ("default" before
	// version 23), a path, "unconfined", or "" on a kernel without seccomp.
	Seccomp string
	// Runtimes are the OCI runtimes by name, with their arguments.
	Runtimes       map[string][]string
	DefaultRuntime string
	// TakesProfile tells whether a container can bring a seccomp profile.
	TakesProfile bool
	// KnowsBuiltin tells whether a container can ask for the built-in profile.
	KnowsBuiltin bool
	// KnowsSubpath tells whether a container can have a part of a volume.
	KnowsSubpath bool

	// Podman tells that it is Podman's Docker-compatible service.
	Podman bool
	// Rootless tells that a user runs it who is not root.
	Rootless bool
	// SELinux tells that it separates containers by SELinux.
	SELinux bool

	ahead time.Duration // of its clock, before this machine's
}

// Time is the engine's time at a time of this machine. It goes by wall clocks:
// the monotonic one stands still while a machine is suspended.
func (e Engine) Time(t time.Time) time.Time { return t.Round(0).Add(e.ahead) }

// goArch translates the kernel's machine name, which /info reports, into the
// name that images use. An unknown name stays as it is.
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64", "arm64":
		return "arm64"
	case "i386", "i686":
		return "386"
	case "loongarch64":
		return "loong64"
	}
	if strings.HasPrefix(machine, "arm") {
		return "arm"
	}
	return machine
}

// short bounds a call that does no work in the engine.
func (c *Client) short(ctx context.Context) (context.Context, context.CancelFunc) {
	return bounded(ctx, bounds.From(ctx).Call)
}

// slow bounds a call that makes the engine work.
func (c *Client) slow(ctx context.Context) (context.Context, context.CancelFunc) {
	return bounded(ctx, bounds.From(ctx).Slow)
}

// Attempt bounds a call that is made again if it gets no answer, which may only have
// been lost: to half of the time that is left.
func Attempt(ctx context.Context) (context.Context, context.CancelFunc) {
	bound := bounds.From(ctx).Slow
	if deadline, limited := ctx.Deadline(); limited {
		bound = min(bound, (time.Until(deadline) / 2).Round(time.Millisecond))
	}
	return bounded(ctx, bound)
}

// detached bounds a create as slow does. Since a create that is given up can still
// succeed on the engine, it goes on for a while when ctx ends: its outcome decides
// what clean-up must expect.
func (c *Client) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	rest := bounds.From(ctx).Rest
	call, free := c.slow(context.WithoutCancel(ctx))
	call, end := context.WithCancelCause(call)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(rest):
			end(fmt.Errorf("%w of the end of the context", errNoAnswer(rest)))
		case <-call.Done():
		}
	})
	return call, func() { stop(); end(nil); free() }
}

func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, errNoAnswer(d))
}

func errNoAnswer(bound time.Duration) error {
	return fmt.Errorf("no answer from the engine within %v", bound)
}

// cause puts the reason of an ended context in place of the bare "context
// deadline exceeded" that the SDK returns: only so can a caller tell its own
// deadline from a bound of ours.
func cause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}
