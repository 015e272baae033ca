// Package dockerx is the only part of this module that speaks to the Docker
// Engine. Its methods are tasks, synchronous and bounded, and it hides what is
// awkward about the engine's Go SDK: two-channel waits, hijacked connections
// that ignore contexts, errors inside a pull's stream, and version gaps.
package dockerx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// minAPI is the first API version with non-recursive binds (Docker 19.03).
const minAPI = "1.40"

// ErrUnsupported is wrapped by errors about an engine that cannot do what a
// run needs.
var ErrUnsupported = errors.New("not supported by this engine")

// Client is one engine. It is safe for concurrent use once Connect succeeded. The
// bounds of its calls are those of their contexts, see [bounds.From].
type Client struct{ api *client.Client }

// New prepares a client for the engine at host, or, if that is "", the one that
// DOCKER_HOST names, by default the local socket. DOCKER_TLS_VERIFY,
// DOCKER_CERT_PATH and DOCKER_API_VERSION are taken from the environment. It does
// no I/O except to read certificates.
func New(host string) (*Client, error) {
	if os.Getenv(client.EnvTLSVerify) != "" && os.Getenv(client.EnvOverrideCertPath) == "" {
		// The SDK would speak plain HTTP to the engine.
		return nil, errors.New("DOCKER_TLS_VERIFY is set but DOCKER_CERT_PATH is not; set it, or unset both")
	}
	address := client.WithHost(host)
	if host == "" {
		host, address = os.Getenv(client.EnvOverrideHost), client.WithHostFromEnv()
	}
	if scheme, _, found := strings.Cut(host, "://"); found && !slices.Contains(schemes, scheme) {
		return nil, fmt.Errorf("engine address %q has the scheme %q; use one of %v", host, scheme, schemes)
	}
	var calls *http.Client
	api, err := client.NewClientWithOpts(client.WithTLSClientConfigFromEnv(), address, client.WithVersionFromEnv(),
		client.WithAPIVersionNegotiation(), withOwnDialer, func(c *client.Client) error {
			calls = c.HTTPClient() // a copy, to be wrapped when the SDK is done with it
			return client.WithHTTPClient(calls)(c)
		})
	if err != nil {
		return nil, fmt.Errorf("engine configuration: %w", err)
	}
	calls.Transport = rejectHTML{calls.Transport}
	return &Client{api}, nil
}

// schemes of an engine's address; the SDK takes "ssh" for a kind of TCP.
var schemes = []string{"unix", "tcp", "npipe", "http", "https"}

// Close releases idle connections. Attachments and downloads must be closed
// before.
func (c *Client) Close() { c.api.Close() } // it never fails

// Host is the engine's address, such as "unix:///var/run/docker.sock".
func (c *Client) Host() string { return c.api.DaemonHost() }

// Engine is what a run needs to know about the engine.
type Engine struct {
	CPUs         int    // number of CPUs
	Architecture string // in Go's spelling, such as "amd64"
	RootDir      string // the engine's data, such as "/var/lib/docker"
	Enforces     Limits
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

	ahead time.Duration // of its clock, before this machine's
}

// Time is the engine's time at a time of this machine. It goes by wall clocks:
// the monotonic one stands still while a machine is suspended.
func (e Engine) Time(t time.Time) time.Time { return t.Round(0).Add(e.ahead) }

// Connect asks the engine who it is, agrees on an API version, and refuses an
// engine that is too old or does not run Linux containers.
func (c *Client) Connect(ctx context.Context) (Engine, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	// The SDK's own negotiation would swallow this error.
	ping, err := c.api.Ping(ctx)
	if err != nil {
		return Engine{}, fmt.Errorf("engine at %s does not answer: %w", c.Host(), cause(ctx, err))
	}
	if ping.APIVersion == "" {
		return Engine{}, fmt.Errorf("engine at %s: the ping's answer names no API version; is this a Docker Engine?", c.Host())
	}
	c.api.NegotiateAPIVersionPing(ping)
	if v := c.api.ClientVersion(); versions.LessThan(v, minAPI) {
		return Engine{}, fmt.Errorf("engine at %s: API version %s, at least %s is needed: %w", c.Host(), v, minAPI, ErrUnsupported)
	}
	info, err := c.api.Info(ctx)
	if err != nil {
		return Engine{}, fmt.Errorf("engine information: %w", cause(ctx, err))
	}
	if info.OSType != "linux" {
		return Engine{}, fmt.Errorf("engine at %s runs %q containers, and Linux containers are needed: %w", c.Host(), info.OSType, ErrUnsupported)
	}
	e := Engine{
		CPUs: info.NCPU, Architecture: goArch(info.Architecture), RootDir: info.DockerRootDir,
		Enforces: limitsOf(info), Seccomp: seccompOf(info.SecurityOptions),
		Runtimes: runtimesOf(info), DefaultRuntime: info.DefaultRuntime,
		TakesProfile: takesProfile(info.ServerVersion),
		KnowsBuiltin: !versions.LessThan(c.api.ClientVersion(), builtinAPI),
	}
	if now, err := time.Parse(time.RFC3339Nano, info.SystemTime); err == nil {
		e.ahead = now.Sub(time.Now().Round(0))
	}
	return e, nil
}

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

// transport is the SDK's, before it is wrapped for tracing.
func transport(c *client.Client) (*http.Transport, error) {
	tr, ok := c.HTTPClient().Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("engine client has %T instead of an HTTP transport", c.HTTPClient().Transport)
	}
	return tr, nil
}

// rejectHTML refuses what a web server or a proxy says in the engine's place: the
// SDK goes by the status alone, so a page with 200 would pass for a start or a
// removal, and one with 404 for an object that is gone.
type rejectHTML struct{ next http.RoundTripper }

func (n rejectHTML) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := n.next.RoundTrip(r)
	if err == nil && strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		answer.Body.Close()
		return nil, fmt.Errorf("%s %s was answered with a web page (%s); is this a Docker Engine?", r.Method, r.URL.Path, answer.Status)
	}
	return answer, err
}
