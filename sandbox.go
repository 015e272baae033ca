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
// RunOnce is safe for concurrent use.
func RunOnce(ctx context.Context, j Job) (Result, error) {
	r, err := newRunner(defaultBounds)
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	res, err := r.runOnce(ctx, j)
	return res, withCleanup(err, r.close())
}

// runOnce is a run, from top to bottom.
func (r *runner) runOnce(ctx context.Context, j Job) (res Result, err error) {
	res.ExitCode = -1

	// 1. Plan: from here on the Job is not read any more.
	p, err := newPlan(j, r.engine.Host())
	if err != nil {
		return res, &Error{Op: OpValidate, Err: err}
	}

	// 2. Ensure the image. Everything after runs by its ID.
	engine, err := r.engine.Connect(ctx)
	if err != nil {
		return res, opError(ctx, OpPull, err)
	}
	if err := r.checkAgainst(ctx, engine, p); err != nil {
		return res, opError(ctx, OpValidate, err)
	}
	image, err := r.engine.EnsureImage(ctx, p.image, p.pull, engine)
	if err != nil {
		return res, opError(ctx, OpPull, err)
	}
	res.ImageID = image.ID

	// 3. Stage the input in volumes.
	run := r.newRun()
	defer func() { err = withCleanup(err, run.undo.run(ctx, r.bounds.cleanup)) }()
	dirs, err := p.directories(image.Volumes)
	if err != nil {
		return res, opError(ctx, OpValidate, err)
	}
	volumes, err := run.stage(ctx, p, image, dirs)
	if err != nil {
		return res, opError(ctx, OpStage, err)
	}

	// 4. Harden, and 5. create.
	host := p.preset(dirs, volumes, engine.CPUs, run.labels).HostConfig()
	config := isolation.Config(image.ID, p.cmd, p.environ(p.home(), image.Env), p.workDir, run.labels)
	if err := run.createContainer(ctx, run.name, config, host); err != nil {
		return res, opError(ctx, OpCreate, p.explainCreate(err))
	}

	// 6. Run.
	if err := run.execute(ctx, p.limits, &res); err != nil {
		return res, err
	}

	// 7. Collect, and 8. the result.
	res.Artifacts, res.Uncollected, err = run.collect(ctx, p, dirs)
	return res, opError(ctx, OpCollect, err)
}
