package dockerx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// Connected tells whether what Connect returned still holds. An engine can become
// another one only when it ends: while one of its connections is open, it did not. A
// clock can be set at any time, which the Date of every answer tells.
func (c *Client) Connected() bool {
	return c.asked.Load() == c.pool.losses() && c.drift().Abs() < maxDrift
}

// maxDrift is how much the engine's clock and this machine's can seem to drift apart
// before it is believed: a Date has no fractions of a second, and an answer takes its
// time.
const maxDrift = time.Minute

func (c *Client) drift() time.Duration { return time.Duration(c.ahead.Load() - c.was.Load()) }

// Time is what [Engine.Time] returns, or later if the engine's clock was put forward
// since Connect asked. It is not sooner: what expires too late does less harm.
func (c *Client) Time(e Engine, t time.Time) time.Time {
	if drift := c.drift(); drift >= maxDrift {
		t = t.Add(drift)
	}
	return e.Time(t)
}

// Connect asks the engine who it is, agrees on an API version for all calls from now on,
// and refuses an engine that is too old or does not run Linux containers.
func (c *Client) Connect(ctx context.Context) (Engine, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	var podman atomic.Bool
	api, err := c.newAPI(&podman)
	if err != nil {
		return Engine{}, fmt.Errorf("engine configuration: %w", err)
	}
	losses := c.pool.losses() // a loss while it asks makes the answers doubtful
	e, err := c.ask(ctx, api, &podman)
	if err == nil {
		c.current.Store(api)
		c.podman.Store(e.Podman)
		c.asked.Store(losses)
		c.was.Store(c.ahead.Load())
	}
	return e, err
}

// Unreachable tells whether err says that there is no connection to the engine.
func Unreachable(err error) bool { return client.IsErrConnectionFailed(err) }

// errLost is wrapped if a connection to the engine broke, and nothing else says so.
var errLost = errors.New("the connection to the engine was lost")

// Lost tells whether err says that a connection broke, or that the engine was silent on it for
// too long.
func Lost(err error) bool { return errors.Is(err, errLost) || errors.Is(err, errSilent) }

func (c *Client) ask(ctx context.Context, api *client.Client, podman *atomic.Bool) (Engine, error) {
	// The SDK's own negotiation would swallow this error.
	ping, err := api.Ping(ctx)
	if err != nil {
		return Engine{}, fmt.Errorf("engine at %s does not answer: %w", c.Host(), cause(ctx, err))
	}
	if ping.APIVersion == "" {
		return Engine{}, fmt.Errorf("engine at %s: the ping's answer names no API version; is this a Docker Engine?", c.Host())
	}
	api.NegotiateAPIVersionPing(ping)
	if v := api.ClientVersion(); versions.LessThan(v, minAPI) {
		return Engine{}, fmt.Errorf("engine at %s: API version %s, at least %s is needed: %w", c.Host(), v, minAPI, ErrUnsupported)
	}
	info, err := api.Info(ctx)
	if err != nil {
		return Engine{}, fmt.Errorf("engine information: %w", cause(ctx, err))
	}
	if info.OSType != "linux" {
		return Engine{}, fmt.Errorf("engine at %s runs %q containers, and Linux containers are needed: %w", c.Host(), info.OSType, ErrUnsupported)
	}
	e := Engine{
		CPUs: info.NCPU, Architecture: goArch(info.Architecture), RootDir: info.DockerRootDir,
		Enforces: limitsOf(info), CountsSwap: info.SwapLimit, Seccomp: seccompOf(info.SecurityOptions),
		Runtimes: runtimesOf(info), DefaultRuntime: info.DefaultRuntime,
		Podman: podman.Load(), Rootless: slices.Contains(info.SecurityOptions, "name=rootless"), SELinux: slices.Contains(info.SecurityOptions, "name=selinux"),
	}
	// Podman takes what is behind "seccomp=" for the name of a file.
	e.TakesProfile = !e.Podman && takesProfile(info.ServerVersion)
	e.KnowsBuiltin = !e.Podman && !versions.LessThan(api.ClientVersion(), builtinAPI)
	e.KnowsSubpath = !e.Podman && !versions.LessThan(api.ClientVersion(), subpathAPI)
	if now, err := time.Parse(time.RFC3339Nano, info.SystemTime); err == nil {
		e.ahead = now.Sub(time.Now().Round(0))
	}
	return e, nil
}
