package sandbox

import (
	"context"
	"errors"
	"sync"
)

// RunOnce runs j to completion, and removes everything it created before it
// returns. It is safe for concurrent use. ctx must not be nil.
//
// A command that fails, or that is killed at [Limits.Timeout], is not an error:
// the Result reports it. An error means that the run could not be carried out, or
// that a writer did not get all of the output; the Result is then filled in as far as
// the run got. Every error is an [*Error].
//
// If only the clean-up failed, the Result is complete and the error has Op
// [OpCleanup]. Otherwise the end of the context takes precedence over the step
// that failed, and a failed clean-up is joined to the cause of either. Whenever
// something may be left on the engine, errors.Is(err, ErrCleanup) is true and the
// error names it.
//
// RunOnce creates a [Runner] and uses it once. A program with many jobs should
// keep one. What a Docker Engine at a local socket said of itself is believed for a minute,
// while it is the same process.
func RunOnce(ctx context.Context, j Job) (Result, error) {
	r, err := New(Options{})
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	r.offline = nil // one run keeps nothing
	defer r.Close() // nothing is under way any more
	return r.RunOnce(ctx, j)
}

// RunOnce does what the function [RunOnce] does, on the Runner's engine. After
// [Runner.Close] it returns [ErrClosed].
func (r *Runner) RunOnce(ctx context.Context, j Job) (Result, error) {
	res := Result{ExitCode: -1}
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return res, &Error{Op: OpValidate, Err: err}
	}
	defer leave()
	ctx, run := newRun(ctx, r.client, r.options.Logger)
	run.report, run.offline = r.report, r.offline
	end := sync.OnceValue(run.end)
	defer func() { run.told.End(panicked(run.left)) }() // unless it has ended
	defer end()                                         // after a panic, too
	step := r.steps(ctx, run, j, &res)
	run.told.Failed(step)
	ended, reason := ctx.Err(), context.Cause(ctx)
	err = joinErrors(ended, reason, step, end())
	run.told.End(run.outcome(res, err))
	return res, err
}

// steps is a run, from top to bottom.
func (r *Runner) steps(ctx context.Context, run *run, j Job, res *Result) error {
	// 1. Plan: from here on the Job is not read any more.
	run.told.Step(stepValidate)
	p, err := newPlan(j, r.client.Host(), r.where.Sockets...)
	if err != nil {
		return fail(OpValidate, err)
	}

	// 2. Ensure the image. Everything after runs by its ID.
	run.told.Image(p.image)
	run.told.Step(stepPull)
	engine, err := r.connect(ctx)
	if err != nil {
		return fail(OpPull, err)
	}
	if err := p.preflight(ctx, r.client, engine, r.options.Runtime); err != nil {
		return fail(OpValidate, err)
	}
	image, err := r.client.EnsureImage(ctx, r.want(p), engine)
	if err != nil {
		return fail(OpPull, err)
	}
	res.ImageID = image.ID

	// 3. Stage the input.
	run.told.Step(stepStage)
	dirs, err := p.directories(image)
	if err != nil {
		return fail(OpValidate, err)
	}
	run.prepare(ctx, p, engine, image)
	staged, err := run.stage(ctx, p, engine, image, dirs)
	if err != nil {
		return fail(OpStage, err)
	}

	// 4. Harden.
	preset := p.preset(dirs, staged, engine, r.options.Runtime)
	preset.SeccompFile = run.seccomp
	if err := run.checkSources(ctx, p); err != nil {
		return fail(OpCreate, err)
	}
	if p.hasSetup() {
		run.told.Step(stepSetup)
		if err := run.setUp(ctx, p, preset, image, dirs, staged, res); err != nil || res.SetupFailed {
			return err
		}
	}

	// 5. Create, while the input is on its way.
	run.told.Step(stepCreate)
	err = run.whileFilling(ctx, func(ctx context.Context) error {
		return run.createCommand(ctx, run.name, run.labels, p.command, p, image, preset)
	})
	if err != nil {
		return err
	}
	if err := run.checkCreated(ctx, p, dirs, staged); err != nil {
		return fail(OpCreate, err)
	}

	// 6. Run.
	run.told.Step(stepRun)
	out, err := run.runCommand(ctx, p, res)
	if err != nil {
		return err
	}

	// 7. Collect, and 8. the result.
	run.told.Step(stepCollect)
	err = run.collect(ctx, p, dirs, staged, out.Exit, res)
	if out.Undelivered != nil {
		return fail(OpWait, errors.Join(out.Undelivered, err))
	}
	return fail(OpCollect, err)
}
