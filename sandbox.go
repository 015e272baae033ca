package sandbox

import (
	"context"

	"github.com/docker/docker/api/types/mount"

	"github.com/synchestra-io/sandbox/isolation"
)

// RunOnce runs j to completion and removes everything that it made before it
// returns. A command that fails or is killed at [Limits.Timeout] is reported in
// the Result, with a nil error. An error is an [*Error] and means that the run
// could not be carried out; the Result is then filled as far as it got.
//
// A non-nil error may stand beside a complete Result: its Op is OpCleanup if only
// the clean-up failed. Otherwise the caller's context comes first, then the step
// that failed; a failed clean-up is joined to either. Whenever something may be
// left on the engine, errors.Is(err, ErrCleanup) holds and the error names it.
//
// RunOnce is safe for concurrent use. It is a Runner used once; a program with
// many jobs keeps one.
func RunOnce(ctx context.Context, j Job) (Result, error) {
	r, err := New(Options{})
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	defer r.Close() // nothing is under way any more
	return r.RunOnce(ctx, j)
}

// RunOnce is as the function of that name, on the Runner's engine.
func (r *Runner) RunOnce(ctx context.Context, j Job) (Result, error) {
	res := Result{ExitCode: -1}
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return res, &Error{Op: OpValidate, Err: err}
	}
	defer leave()
	run := newRun(ctx, r.client)
	step := r.steps(ctx, run, j, &res)
	ended, reason := ctx.Err(), context.Cause(ctx)
	return res, joinErrors(ended, reason, step, run.end(ctx))
}

// steps is a run, from top to bottom.
func (r *Runner) steps(ctx context.Context, run *run, j Job, res *Result) error {
	// 1. Plan: from here on the Job is not read any more.
	p, err := newPlan(j, r.client.Host())
	if err != nil {
		return fail(OpValidate, err)
	}

	// 2. Ensure the image. Everything after runs by its ID.
	engine, err := r.connect(ctx)
	if err != nil {
		return fail(OpPull, err)
	}
	if err := p.preflight(ctx, r.client, engine, r.runtime); err != nil {
		return fail(OpValidate, err)
	}
	image, err := r.client.EnsureImage(ctx, p.image, p.pull, engine)
	if err != nil {
		return fail(OpPull, err)
	}
	res.ImageID = image.ID

	// 3. Stage the input.
	dirs, err := p.directories(image.Volumes)
	if err != nil {
		return fail(OpValidate, err)
	}
	run.label(ctx, engine)
	var staged map[string]mount.Mount
	if p.limits.DiskMB > 0 {
		staged, err = run.stageOnDisk(ctx, p, engine.Architecture, image, dirs)
	} else {
		staged, err = run.stageInVolumes(ctx, p, image, dirs)
	}
	if err != nil {
		return fail(OpStage, err)
	}

	// 4. Harden, and 5. create.
	host := p.preset(dirs, staged, engine, r.runtime).HostConfig()
	config := isolation.Config(image.ID, p.cmd, p.environ(p.home(), image.Env), p.workDir, run.labels, p.stdin != nil)
	if err := run.createContainer(ctx, run.name, config, host); err != nil {
		return fail(OpCreate, p.explainCreate(err))
	}
	if err := run.checkStaged(ctx, p, staged); err != nil {
		return fail(OpCreate, err)
	}

	// 6. Run.
	exit, err := run.execute(ctx, p, res)
	if err != nil {
		return err
	}

	// 7. Collect, and 8. the result.
	return fail(OpCollect, run.collect(ctx, p, dirs, staged, exit, res))
}
