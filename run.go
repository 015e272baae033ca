package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/ending"
	"github.com/synchestra-io/sandbox/internal/handover"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/process"
	"github.com/synchestra-io/sandbox/internal/telemetry"
	"github.com/synchestra-io/sandbox/internal/verify"
	"github.com/synchestra-io/sandbox/isolation"
)

// run is one run: its name, from which the names of all its objects derive, and
// what has to be undone at its end.
type run struct {
	client   *dockerx.Client
	bounds   bounds.Bounds
	ending   *ending.Ending // of the run, when it is cut off, and at the latest of its clean-up
	id       string
	name     string
	labels   map[string]string
	engine   dockerx.Engine
	seccomp  string // the file with the profile, on Podman's host; "" = none
	platform string // of the image, "" = the engine's own
	report   func(Progress)
	told     *telemetry.Run // nil = nobody is
	said     int64          // by the commands, in bytes
	archived int            // files in Job.OutputTar
	left     error          // of the clean-up
	undo     cleanup.Teardown
	// fill fills what stage has made; nil = it is filled.
	fill func(context.Context) error
	// offline is what the Runner keeps for network "none", nil = nothing; hosts is what this
	// run has made for that.
	offline *offline
	hosts   *hostVolume
	used    *hostVolume // that of the container that was created last, nil = none
	// sent is what every create request is compared with, beside its own configuration.
	sent     verify.Sent
	overlays []artifacts.Overlay // of the job's container, if something is collected
	// verify compares what the engine has with what was sent, by container's name.
	verify map[string]dockerx.Check
}

// newRun names a run, and makes it known as an active one until it has ended. Its context is the
// one that it returns.
func newRun(ctx context.Context, client *dockerx.Client, logger *slog.Logger) (context.Context, *run) {
	id := owner.NewID(ctx)
	ctx, told := telemetry.Begin(ctx, logger, id)
	r := &run{
		client: client, bounds: bounds.From(ctx), ending: ending.New(ctx), id: id, name: owner.NamePrefix + id,
		told: told, verify: map[string]dockerx.Check{},
	}
	owner.Begin(id)
	return ctx, r
}

// stagingName is the name of the container through which volumes are filled.
func (r *run) stagingName() string { return r.name + "-stage" }

// end undoes everything. What could not be removed is a Sweep's from now on.
func (r *run) end() (err error) {
	defer owner.End(r.id)
	defer r.ending.Close()
	defer func() { r.told.Failed(err) }()
	defer func() { // whatever a logger of the caller's does
		err = r.undo.Run(r.ending.All())
		r.left = err
	}()
	r.told.Step(stepCleanup)
	return nil
}

// prepare fills in the run's labels, and what the engine and the image add to a
// container. The run's expiry is by the engine's clock, which every Sweep can ask for.
func (r *run) prepare(ctx context.Context, p plan, engine dockerx.Engine, image dockerx.Image) {
	var expires time.Time
	if deadline, bounded := ctx.Deadline(); bounded {
		left := owner.Sum(time.Until(deadline), r.bounds.Return())
		expires = r.client.Time(engine, time.Now()).Add(left)
	}
	r.labels = owner.Labels(r.id, expires)
	owner.Limits{Timeout: p.timeout, Ending: r.endingTime(), Reading: p.readingTime(r.bounds)}.Label(r.labels)
	r.engine, r.platform = engine, image.Platform
	r.sent = verify.Sent{
		Image: &verify.Image{
			ID: image.ID, Env: image.Env, Entrypoint: image.Entrypoint, WorkingDir: image.WorkDir, Volumes: image.Volumes,
		},
		DefaultRuntime: engine.DefaultRuntime,
		CountsSwap:     engine.CountsSwap,
		Podman:         engine.Podman,
	}
}

// endingTime is how long after its Timeout a run can have a running container, for a Sweep
// that counts from the command's start: the run counts from the answer to it.
func (r *run) endingTime() time.Duration { return owner.Sum(r.bounds.Slow, r.bounds.Return()) }

// createVolume makes a volume that is removed at the run's end, and returns where
// the engine has it.
func (r *run) createVolume(ctx context.Context, name string, options map[string]string) (at string, err error) {
	err = r.undo.Create(ctx, cleanup.Volume, name, func(ctx context.Context, unsure time.Duration) error {
		return r.client.RemoveVolume(ctx, name, unsure)
	}, func(ctx context.Context) (err error) {
		at, err = r.client.CreateVolume(ctx, name, options, r.labels)
		return err
	})
	return at, err
}

// createContainer makes a container that is killed and removed at the run's end, and
// after it the volumes that the engine makes together with it.
func (r *run) createContainer(ctx context.Context, name string, config *container.Config, host *container.HostConfig, volumes ...string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, volume := range volumes {
		// With the container gone, no creation is under way any more.
		r.undo.Push(cleanup.Volume, volume, func(ctx context.Context) error { return r.client.RemoveVolume(ctx, volume, 0) })
	}
	return r.undo.Create(ctx, cleanup.Container, name, func(ctx context.Context, unsure time.Duration) error {
		return r.client.Remove(ctx, name, unsure)
	}, func(ctx context.Context) error {
		return r.client.Create(ctx, name, config, host, r.platform)
	})
}

// createToStart is createContainer for one that will be started. Before that, what the engine
// has is compared with what was sent.
func (r *run) createToStart(ctx context.Context, name string, config *container.Config, host *container.HostConfig, volumes ...string) error {
	sent := r.sent
	sent.Host, sent.Config = host, config
	r.verify[name] = func(got container.InspectResponse) error { return verify.Container(sent, got) }
	return r.createContainer(ctx, name, config, host, volumes...)
}

// createCommand makes a container for one of the run's commands.
func (r *run) createCommand(ctx context.Context, name string, labels map[string]string, c command, p plan, image dockerx.Image, preset isolation.Preset) error {
	preset.NetworkMode, preset.InternalNetwork = c.network, slices.Contains(p.internal, c.network)
	preset.Namespace = p.joined[c.network]
	config := isolation.Config(image.ID, c.cmd, c.environ(p.home(), image.Env), p.workDir, labels, c.stdin != nil)
	if preset.Namespace != "" || r.isOffline(c.network, preset.Runtime) {
		return p.explainCreate(r.createOffline(ctx, name, config, preset, p, image))
	}
	return p.explainCreate(r.createToStart(ctx, name, config, preset.HostConfig()))
}

// checkCreated looks at the job's container before its start: whether it has what was filled,
// whether Setup has left a link on the way to its working directory, and whether links of the
// image's hide one directory by another.
func (r *run) checkCreated(ctx context.Context, p plan, dirs []directory, staged map[string]mount.Mount) error {
	if err := r.checkFilled(ctx, p, staged); err != nil {
		return err
	}
	if p.hasSetup() {
		check := handover.Check{Client: r.client, Mounts: p.targets()}
		if err := check.WorkDir(ctx, r.name, cmp.Or(p.workDir, r.sent.Image.WorkingDir)); err != nil {
			return err
		}
	}
	if len(p.collect) == 0 || r.engine.Podman {
		return nil
	}
	var err error
	r.overlays, err = artifacts.Overlays(ctx, r.client, r.name, slices.Concat(paths(dirs), p.targets()))
	return err
}

// checkFilled makes sure that the container that was created last has the volumes, and the
// host files, that were filled.
func (r *run) checkFilled(ctx context.Context, p plan, staged map[string]mount.Mount) error {
	if err := r.checkStaged(ctx, p, staged); err != nil || r.used == nil {
		return err
	}
	return r.used.check(ctx)
}

// checkStaged makes sure that the job's container has the volumes that were filled.
// They cannot have been removed while the staging container exists; in place of
// missing ones the engine would create new, empty ones.
func (r *run) checkStaged(ctx context.Context, p plan, staged map[string]mount.Mount) error {
	if len(staged) == 0 {
		return nil
	}
	state, err := r.client.Inspect(ctx, r.stagingName())
	switch {
	case err != nil:
		return fmt.Errorf("staging container: %w", err)
	case state.Gone:
		return fmt.Errorf("staging container: %w", dockerx.ErrGone)
	case p.limits.DiskMB > 0 && (!state.Running || state.Restarted):
		return errors.New("staging container: it was stopped by another client; the files under Limits.DiskMB are lost")
	}
	return nil
}

// execute runs a created container with a command to its end.
func (r *run) execute(ctx context.Context, name string, c command, l Limits) (process.Outcome, error) {
	out, err := process.Run(ctx, r.client, name, process.Options{
		Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stderr, LogBytes: l.LogBytes,
		Timeout: c.timeout, MemoryCapped: l.MemoryMB > 0, Ending: r.ending, Verify: r.verify[name],
	})
	r.said += out.Said
	return out, err
}

// runCommand runs the job's container to its end and fills in the Result's exit status,
// output and causes. An error in the outcome alone leaves the run complete.
func (r *run) runCommand(ctx context.Context, p plan, res *Result) (process.Outcome, error) {
	out, err := r.execute(ctx, r.name, p.command, p.limits)
	res.Logs, res.LogsDropped = out.Logs, out.LogsDropped
	r.fillExit(out, res)
	return out, fail(stepOf(out), err)
}

// stepOf is the step that a container's run failed in.
func stepOf(out process.Outcome) Op {
	if !out.Started {
		return OpStart
	}
	return OpWait
}

// fillExit fills in how the container ended, if that is known.
func (r *run) fillExit(out process.Outcome, res *Result) {
	if out.Started && out.Exit.Err == nil {
		res.ExitCode, res.Duration = r.engine.CommandStatus(out.Exit.Code, out.Logs), out.Exit.Ran
		res.OOMKilled, res.TimedOut = out.OOMKilled, out.TimedOut
	}
}
