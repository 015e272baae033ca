package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/handover"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/validate"
	"github.com/synchestra-io/sandbox/isolation"
)

// Setup is a command that runs before [Job.Cmd] with a network of its own, for example
// to download dependencies, so that Cmd needs none. It runs in a container of its own,
// of the same image and with the same hardening, limits, mounts and WorkDir. What it
// leaves in InputDir, in HOME and in the other writable directories, Cmd finds there.
// For that, these directories are volumes: without [Limits.DiskMB] their size has no
// cap, with it they share one. Its memory, and what it wrote there, count against
// MemoryMB only until it ends.
//
// On Podman no mount, VOLUME, InputDir or working directory may be inside another directory
// that Setup can write to; one of these directories itself can be the working directory.
//
// Cmd starts only if Setup exits with status 0: see [Result.SetupFailed]. If Setup left
// anything but a directory on the way to a place where the engine mounts something for
// Cmd, to WorkDir, or to a path of Collect, RunOnce returns an error.
//
// Security: Setup can send everywhere what it can read, such as the input and the mounts.
// If it runs code that it has downloaded, or the input's, that code can do so, too, and
// can change whatever Cmd finds. docs/dependencies.md says how to download without
// that.
type Setup struct {
	// Cmd is the command and its arguments, as [Job.Cmd] has them; nil = no Setup.
	// Without it Env, Network and Timeout must not be set.
	Cmd []string
	// Env adds variables to Job.Env, and overrides those of the same name, for Setup
	// alone; nil = none.
	Env map[string]string
	// Network is Setup's network, as [Limits.Network] is Cmd's; "" = [DefaultNetwork].
	Network string
	// Timeout is how long Setup may run before it is killed; 0 = no timeout.
	// Limits.Timeout is for Cmd alone.
	Timeout time.Duration
	// Output receives all of Setup's output as it is produced; nil = none. What
	// [Job.Stdout] says holds, but for this: Cmd does not start unless Output has
	// received everything.
	Output io.Writer
}

// plan checks s and adds the job's environment.
func (s Setup) plan(bad *validate.FieldErrors, env map[string]string) command {
	const add = "but Setup.Cmd is empty; add the command, or leave this out"
	if len(s.Cmd) == 0 {
		if len(s.Env) > 0 {
			bad.Add("Setup.Env has %d variables, "+add, len(s.Env))
		}
		if s.Network != "" {
			bad.Add("Setup.Network is %q, "+add, s.Network)
		}
		if s.Timeout != 0 {
			bad.Add("Setup.Timeout is %v, "+add, s.Timeout)
		}
		return command{}
	}
	bad.Command("Setup.Cmd", s.Cmd)
	bad.Environment("Setup.Env", s.Env)
	if s.Network == "" {
		s.Network = DefaultNetwork
	}
	bad.Network("Setup.Network", s.Network)
	if s.Timeout < 0 {
		bad.Add("Setup.Timeout %v: want a positive duration, or 0 for no timeout", s.Timeout)
	}
	both := map[string]string{}
	maps.Copy(both, env)
	maps.Copy(both, s.Env)
	return command{cmd: slices.Clone(s.Cmd), env: both, network: s.Network, timeout: s.Timeout, stdout: s.Output, stderr: s.Output}
}

func (p plan) hasSetup() bool { return len(p.setup.cmd) > 0 }

// setUp runs Setup, and makes sure that it has left nothing by which Cmd's container would
// be other than planned. Nothing can change that any more when it returns: Setup's container
// is gone, in which another client could start it again.
func (r *run) setUp(ctx context.Context, p plan, preset isolation.Preset, image dockerx.Image, dirs []directory, staged map[string]mount.Mount, res *Result) error {
	check, err := r.handover(p, image, dirs)
	if err != nil {
		return fail(OpStage, inSetup(err))
	}
	name, names := owner.SetupName(r.name), check.Names()
	// A Sweep that sees the stopped container leaves it the time for looking at them.
	looking := owner.Sum(r.bounds.Call*time.Duration(2+2*len(names)), r.bounds.Ending)
	labels := maps.Clone(r.labels)
	owner.Limits{Timeout: p.setup.timeout, Ending: r.endingTime(), Reading: looking}.Label(labels)
	err = r.whileFilling(ctx, func(ctx context.Context) error {
		return inSetup(r.createCommand(ctx, name, labels, p.setup, p, image, preset))
	})
	if err != nil {
		return err
	}
	if err := r.checkFilled(ctx, p, staged); err != nil {
		return fail(OpCreate, inSetup(err))
	}
	if err := check.ImageLinks(ctx); err != nil {
		return fail(OpStage, inSetup(err))
	}
	out, err := r.execute(ctx, name, p.setup, p.limits)
	res.SetupLogs, res.SetupLogsDropped = out.Logs, out.LogsDropped
	if out.Started && out.Exit.Err == nil && out.Exit.Code != 0 {
		r.fillExit(out, res)
		res.SetupFailed = true
	}
	if err != nil {
		return fail(stepOf(out), inSetup(err))
	}
	if res.SetupFailed {
		if err := r.stillEnded(ctx, name, out.Exit); err != nil {
			return fail(OpWait, inSetup(errors.Join(out.Undelivered, err)))
		}
		p.collect, p.output = nil, nil
		err = r.collect(ctx, p, dirs, staged, out.Exit, res)
	}
	switch {
	case out.Undelivered != nil:
		return fail(OpWait, inSetup(errors.Join(out.Undelivered, err)))
	case res.SetupFailed:
		return fail(OpCollect, inSetup(err))
	}
	err = r.client.Unchanged(ctx, name, out.Exit)
	if err == nil {
		err = r.remove(ctx, name)
	}
	if err != nil {
		return fail(OpWait, inSetup(err))
	}
	return fail(OpStage, inSetup(check.Left(ctx, names)))
}

// stillEnded makes sure that no other client has started a Setup that failed again. That one has
// removed it since changes nothing.
func (r *run) stillEnded(ctx context.Context, name string, exit dockerx.Exit) error {
	ctx, release := r.ending.Bind(ctx)
	defer release()
	if err := r.client.Unchanged(ctx, name, exit); !errors.Is(err, dockerx.ErrGone) {
		return err
	}
	return nil
}

// inSetup says that an error was in Setup; nil stays nil.
func inSetup(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("Setup: %w", err)
}

// remove removes a container before the run's end.
func (r *run) remove(ctx context.Context, container string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.bounds.Ending, fmt.Errorf("not removed within %v", r.bounds.Ending))
	defer cancel()
	return r.undo.Remove(ctx, cleanup.Container, container)
}

// handover is the check of what Setup leaves. Beside the run's claims it knows the working
// directory inside a mount.
func (r *run) handover(p plan, image dockerx.Image, dirs []directory) (handover.Check, error) {
	check := handover.Check{Client: r.client, Staging: r.stagingName(), Claims: p.claims(image, dirs, r.engine.Podman), Mounts: p.targets()}
	workDir := cmp.Or(p.workDir, image.WorkDir, "/")
	check.Claims.Directory(workDir, "the working directory")
	for _, d := range dirs {
		check.Directories = append(check.Directories, handover.Directory{Path: d.path, Place: path.Join(r.stagedTree(), d.place)})
	}
	if r.engine.Podman {
		return check, unseen(p, check, workDir)
	}
	for i, c := range p.collect {
		check.Collected.Directory(path.Dir(c), fmt.Sprintf("the directory of Collect[%d]", i))
	}
	return check, nil
}

// unseen refuses what would have to be looked at after Setup: Podman describes a link as what
// it leads to.
func unseen(p plan, check handover.Check, workDir string) error {
	if names := check.Names(); len(names) > 0 {
		return fmt.Errorf("%q: %w; Podman does not tell whether Setup puts a link there, so leave it out of the directories that Setup can write to", names[0], ErrUnsupported)
	}
	if p.mounted(workDir) && !slices.Contains(p.targets(), workDir) {
		return fmt.Errorf("the working directory %q: %w; Podman does not tell whether Setup puts a link there, so use one outside of mounts", workDir, ErrUnsupported)
	}
	return nil
}
