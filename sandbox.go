package sandbox

import (
	"context"

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
	run := r.newRun(ctx)
	step := run.steps(ctx, j, &res)
	ended, reason := ctx.Err(), context.Cause(ctx)
	return res, verdict(ended, reason, step, run.end(ctx))
}

// steps is a run, from top to bottom.
func (r *run) steps(ctx context.Context, j Job, res *Result) error {
	// 1. Plan: from here on the Job is not read any more.
	p, err := newPlan(j, r.engine.Host())
	if err != nil {
		return fail(OpValidate, err)
	}

	// 2. Ensure the image. Everything after runs by its ID.
	engine, err := r.connect(ctx)
	if err != nil {
		return fail(OpPull, err)
	}
	if err := p.preflight(ctx, r.engine, engine, r.runtime); err != nil {
		return fail(OpValidate, err)
	}
	image, err := r.engine.EnsureImage(ctx, p.image, p.pull, engine)
	if err != nil {
		return fail(OpPull, err)
	}
	res.ImageID = image.ID

	// 3. Stage the input in volumes.
	r.label(ctx, engine)
	dirs, err := p.directories(image.Volumes)
	if err != nil {
		return fail(OpValidate, err)
	}
	staged, err := r.stage(ctx, p, engine, image, dirs)
	if err != nil {
		return fail(OpStage, err)
	}

	// 4. Harden, and 5. create.
	host := p.preset(dirs, staged, engine, r.runtime).HostConfig()
	config := isolation.Config(image.ID, p.cmd, p.environ(p.home(), image.Env), p.workDir, r.labels, p.stdin != nil)
	if err := r.createContainer(ctx, r.name, config, host); err != nil {
		return fail(OpCreate, p.explainCreate(err))
	}
	if err := r.checkStaged(ctx, p, staged); err != nil {
		return fail(OpCreate, err)
	}

	// 6. Run.
	exit, err := r.execute(ctx, p, res)
	if err != nil {
		return err
	}

	// 7. Collect, and 8. the result.
	res.Artifacts, res.Uncollected, err = r.collect(ctx, p, dirs, exit)
	if err == nil && p.limits.DiskMB > 0 {
		res.DiskFull, err = r.diskFull(ctx)
		// A disk that was lost meanwhile had nothing to collect.
		if lost := r.checkStaged(ctx, p, staged); lost != nil {
			res.Artifacts, res.Uncollected, res.DiskFull, err = nil, nil, false, lost
		}
	}
	return fail(OpCollect, err)
}
