package dockerx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Create makes a container by a name that the caller chose; platform is of the image, ""
// = the engine's own. The end of ctx does not
// cut it off at once: see detached.
func (c *Client) Create(ctx context.Context, name string, config *container.Config, host *container.HostConfig, platform string) error {
	ctx, cancel := c.detached(ctx)
	defer cancel()
	created, err := c.api().ContainerCreate(ctx, config, host, nil, parsePlatform(platform), name)
	if err == nil && created.ID == "" {
		err = errors.New("the engine's answer names no container ID")
	}
	return cause(ctx, err)
}

// Check tells what is wrong with a container, by all that the engine says of it
// before its start; nil = nothing. Its first part is not nil.
type Check func(container.InspectResponse) error

// Start starts a container for the first time, if check has nothing against it. After
// an error it may run all the same.
func (c *Client) Start(ctx context.Context, name string, check Check) error {
	found, err := c.inspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return ErrGone
	}
	if err != nil {
		return err
	}
	// The engine takes a second start for a success, as it does one after an end.
	if found.State.Status != container.StateCreated {
		return errStarted
	}
	if err := check(found); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	ctx, cancel := c.slow(ctx)
	defer cancel()
	return cause(ctx, c.api().ContainerStart(ctx, name, container.StartOptions{}))
}

// Kill sends SIGKILL to everything in the container. It reports false, nil
// when the container was not running any more.
func (c *Client) Kill(ctx context.Context, name string) (bool, error) {
	ctx, cancel := c.slow(ctx)
	defer cancel()
	err := c.api().ContainerKill(ctx, name, "SIGKILL")
	if errdefs.IsConflict(err) || errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, cause(ctx, err)
}

// State is a container's state. The zero value is a container that exited
// with status 0.
type State struct {
	Created   bool // never started
	Running   bool // or created, paused or restarting: the exit is to come
	Restarted bool // running, but not for the first time
	Gone      bool // removed, or being removed
	ExitCode  int
	OOMKilled bool
	StartedAt string        // of the last start
	Ran       time.Duration // of a run that has ended
}

// Inspect asks for a container's state.
func (c *Client) Inspect(ctx context.Context, name string) (State, error) {
	found, err := c.inspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return State{Gone: true}, nil
	}
	if err != nil {
		return State{}, err
	}
	switch found.State.Status {
	case container.StateExited:
		return ended(found.State), nil
	case container.StateRemoving, container.StateDead:
		return State{Gone: true}, nil
	default:
		again := found.State.FinishedAt != "" && !strings.HasPrefix(found.State.FinishedAt, "0001-")
		created := found.State.Status == container.StateCreated
		return State{Created: created, Running: true, Restarted: again, StartedAt: found.State.StartedAt}, nil
	}
}

// Started tells when a container was started last, by the engine's clock, and whether it
// is running, also if it is paused. The zero time is a container that was never started.
func (c *Client) Started(ctx context.Context, name string) (at time.Time, running bool, err error) {
	found, err := c.inspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return at, false, ErrGone
	}
	if err != nil {
		return at, false, err
	}
	if at, err = time.Parse(time.RFC3339Nano, found.State.StartedAt); err != nil {
		return time.Time{}, false, fmt.Errorf("start of container %s: %w", name, err)
	}
	status := found.State.Status
	return at, status != container.StateExited && status != container.StateDead && status != container.StateRemoving, nil
}

func (c *Client) inspect(ctx context.Context, name string) (container.InspectResponse, error) {
	ctx, cancel := c.short(ctx)
	defer cancel()
	found, raw, err := c.api().ContainerInspectWithRaw(ctx, name, false)
	if err == nil && (found.ContainerJSONBase == nil || found.State == nil) {
		err = errors.New("the engine's answer has no container state")
	}
	if err == nil && c.podman.Load() {
		err = checkPodmanCgroups(raw)
	}
	if errdefs.IsNotFound(err) {
		return found, err
	}
	return found, cause(ctx, err)
}

func ended(s *container.State) State {
	e := State{ExitCode: s.ExitCode, OOMKilled: s.OOMKilled, StartedAt: s.StartedAt}
	started, startErr := time.Parse(time.RFC3339Nano, s.StartedAt)
	finished, err := time.Parse(time.RFC3339Nano, s.FinishedAt)
	if startErr == nil && err == nil {
		e.Ran = max(0, finished.Sub(started)) // the engine notes the start when it is told of it
	}
	return e
}

// Remove force-removes a container by name with its anonymous volumes and
// returns when it is gone. A container that does not exist is gone, unless
// unsure is set: then the engine may still be creating it, and Remove keeps
// looking for that long. It tries again until ctx ends.
func (c *Client) Remove(ctx context.Context, name string, unsure time.Duration) error {
	options := container.RemoveOptions{Force: true, RemoveVolumes: true}
	return c.untilGone(ctx, "container "+name, unsure, func(ctx context.Context) error {
		return c.api().ContainerRemove(ctx, name, options)
	})
}

// untilGone repeats remove until it succeeds or the engine says that there is
// no such object, which is not believed while unsure. A conflict is not the
// end: another removal is under way and can fail, or a volume is still in use.
func (c *Client) untilGone(ctx context.Context, what string, unsure time.Duration, remove func(context.Context) error) error {
	settled := time.Now().Add(unsure)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		call, cancel := Attempt(ctx)
		err := cause(call, remove(call))
		cancel()
		if err == nil || errdefs.IsNotFound(err) && !time.Now().Before(settled) {
			return nil
		}
		if err = clip(err); errdefs.IsInternal(err) && strings.Contains(err.Error(), "too many open files") {
			// The engine has one open for every level of a tree that it removes.
			return fmt.Errorf("%s may be left, and stays until the engine may open more files: %w", what, err)
		}
		select {
		case <-ctx.Done():
			if errdefs.IsNotFound(err) {
				err = errors.New("its creation may still be under way")
			}
			return fmt.Errorf("%s may be left: %w", what, err)
		case <-time.After(pause):
		}
	}
}

// clip shortens the text of an error: a job's paths have any length.
func clip(err error) error {
	if text := err.Error(); len(text) > maxSystemError {
		return clipped{err, text[:maxSystemError/2] + " … " + text[len(text)-maxSystemError/2:]}
	}
	return err
}

type clipped struct {
	error
	text string
}

func (c clipped) Error() string { return c.text }

func (c clipped) Unwrap() error { return c.error }

// OutcomeKnown tells whether err is the engine's own refusal. Any other error
// of a create leaves open whether the object exists.
func OutcomeKnown(err error) bool {
	return err == nil || errdefs.IsInvalidArgument(err) || errdefs.IsNotFound(err) || errdefs.IsConflict(err) ||
		errdefs.IsPermissionDenied(err) || errdefs.IsUnauthorized(err)
}
