package sandbox

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/artifacts"
	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/dockerx"
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
// Cmd starts only if Setup exits with status 0: see [Result.SetupFailed]. If Setup left
// anything but a directory on the way to a place where the engine mounts something for
// Cmd, to WorkDir, or to a path of Collect, RunOnce returns an error.
//
// Security: Setup can send everywhere what it can read, such as the input and the mounts.
// If it runs code that it has downloaded, or the input's, that code can do so, too, and
// can change whatever Cmd finds. SECURITY.md says how to download without that.
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

// checkSources refuses a mount whose source Setup could replace by a link, which the
// engine would follow on its host.
func (p plan) checkSources(bad *validate.FieldErrors) {
	for i, m := range p.mounts {
		for k, outer := range p.mounts {
			if !outer.ReadOnly && m.Source != outer.Source && validate.Within(m.Source, outer.Source) {
				bad.Add("Mounts[%d].Source %q is inside Mounts[%d].Source %q, which Setup can write to; make that one read-only",
					i, m.Source, k, outer.Source)
			}
		}
	}
}

// setUp runs Setup, and makes sure that it has left nothing by which Cmd's container would
// be other than planned. Nothing can change that any more when it returns: Setup's container
// is gone, in which another client could start it again.
func (r *run) setUp(ctx context.Context, p plan, preset isolation.Preset, image dockerx.Image, dirs []directory, staged map[string]mount.Mount, res *Result) error {
	look, err := r.claimed(p, image, dirs)
	if err != nil {
		return fail(OpValidate, err)
	}
	labels := maps.Clone(r.labels)
	checking := r.bounds.Call * time.Duration(2+2*len(look))
	owner.Limits{Timeout: p.setup.timeout, Ending: r.endingTime(), Reading: owner.Sum(checking, r.bounds.Ending)}.Label(labels)
	name := owner.SetupName(r.name)
	if err := r.createCommand(ctx, name, labels, p.setup, p, image, preset); err != nil {
		return fail(OpCreate, inSetup(err))
	}
	if err := r.checkStaged(ctx, p, staged); err != nil {
		return fail(OpCreate, inSetup(err))
	}
	out, err := r.execute(ctx, name, p.setup, p.limits)
	res.SetupLogs, res.SetupLogsDropped = out.Logs, out.LogsDropped
	if out.Started && out.Exit.Err == nil && out.Exit.Code != 0 {
		r.fillExit(out, res)
		res.SetupFailed = true
	}
	switch err := errors.Join(err, out.Undelivered); {
	case err != nil:
		return fail(stepOf(out), inSetup(err))
	case res.SetupFailed:
		p.collect = nil
		return fail(OpCollect, inSetup(r.collect(ctx, p, dirs, staged, out.Exit, res)))
	}
	if err := r.client.Unchanged(ctx, name, out.Exit); err != nil {
		return fail(OpWait, inSetup(err))
	}
	if err := r.removeLast(ctx); err != nil {
		return fail(OpWait, inSetup(err))
	}
	return fail(OpStage, inSetup(r.checkClaimed(ctx, look)))
}

// inSetup says that an error was in Setup; nil stays nil.
func inSetup(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("Setup: %w", err)
}

// removeLast removes the object that was created last, before the run's end.
func (r *run) removeLast(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.bounds.Ending, fmt.Errorf("not removed within %v", r.bounds.Ending))
	defer cancel()
	return r.undo.Last(ctx)
}

// claimedName is a path in a volume on, or on the way to, a path that somebody claims.
type claimedName struct {
	path   string // in the job's container
	place  string // in the staging container
	check  func(kind byte) error
	target bool // of a mount, where the engine made a file if the mount is one
}

// claimed lists what Setup can have put something at, with every directory before what is
// in it. The staging container has the volumes side by side; in the job's own, a link could
// mount one over the proof.
func (r *run) claimed(p plan, image dockerx.Image, dirs []directory) (list []claimedName, err error) {
	table := p.claims(image, dirs, r.engine.Podman)
	for i, c := range p.collect {
		if above := path.Dir(c); !p.mounted(above) {
			table.Directory(above, fmt.Sprintf("the directory of Collect[%d]", i))
		}
	}
	for _, d := range dirs {
		names := table.Below(d.path)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			at := path.Join(d.path, name)
			if slices.ContainsFunc(dirs, func(in directory) bool {
				return len(in.path) > len(d.path) && at != in.path && validate.Within(at, in.path)
			}) {
				continue // it is in that one
			}
			if r.engine.Podman && strings.ContainsAny(at, artifacts.Patterns) {
				return nil, fmt.Errorf("%q: %w together with Setup; Podman takes it for a pattern", at, ErrUnsupported)
			}
			list = append(list, claimedName{
				path: at, place: path.Join(r.stagedTree(), d.place, name), target: slices.Contains(p.targets(), at),
				check: func(kind byte) error { return names.Check(name, kind) },
			})
		}
	}
	return list, nil
}

// checkClaimed looks at them. What is absent the engine will make.
func (r *run) checkClaimed(ctx context.Context, list []claimedName) error {
	absent := map[string]bool{}
	for _, c := range list {
		if absent[path.Dir(c.place)] || len(path.Base(c.path)) > archive.MaxName {
			absent[c.place] = true
			continue
		}
		info, err := r.client.Stat(ctx, r.stagingName(), c.place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			absent[c.place] = true
		case err != nil:
			return err
		case c.target && info.Mode.IsRegular():
		default:
			if err := c.check(kindOf(info.Mode)); err != nil {
				return fmt.Errorf("it left something else at %q: it %w", c.path, err)
			}
		}
	}
	return nil
}

// checkWorkDir looks, in the job's container, at a WorkDir inside a mount that Setup can
// have written to.
func (r *run) checkWorkDir(ctx context.Context, p plan) error {
	if !p.hasSetup() {
		return nil
	}
	for i, m := range p.mounts {
		if m.ReadOnly || !validate.Within(p.workDir, m.Target) {
			continue
		}
		var table claims.Table
		table.Directory(p.workDir, "WorkDir")
		names := table.Below(m.Target)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			info, err := r.client.Stat(ctx, r.name, path.Join(m.Target, name))
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err == nil {
				err = names.Check(name, kindOf(info.Mode))
			}
			if err != nil {
				return fmt.Errorf("%q in Mounts[%d] %w", name, i, err)
			}
		}
	}
	return nil
}

// kindOf is the type of a file, as package tar has it.
func kindOf(mode fs.FileMode) byte {
	switch mode.Type() {
	case 0:
		return tar.TypeReg
	case fs.ModeDir:
		return tar.TypeDir
	case fs.ModeSymlink:
		return tar.TypeSymlink
	}
	return tar.TypeFifo // or another special one
}
