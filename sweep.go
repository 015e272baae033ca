package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// SweepReport is what a Sweep did. Its entries begin with "container" or
// "volume" and the name.
type SweepReport struct {
	Removed []string // what is gone
	Left    []string // what stays, each with the reason
}

// Sweep removes what runs have left on the engine whose process was killed, or
// whose clean-up failed: containers in every state, and volumes. It is safe
// beside live runs, of any process, on any machine. Nothing is touched that does
// not carry the labels and the name of a run.
//
// Left over is what belongs to this process but to none of its runs; to a
// process of this boot and PID namespace that has ended; or to a process that
// cannot be seen from here, if the deadline of the run's context passed more
// than five minutes before, by the engine's clock, and all that RunOnce may take
// after it. All else stays and is in Left, live runs too. What the engine is
// still creating for a process that was just killed is found by the next Sweep.
//
// Machines that were cloned while running, memory included, take each other for
// one: their engines must be two.
//
// The error has Op OpCleanup. It wraps ErrCleanup when a removal failed.
func (r *Runner) Sweep(ctx context.Context) (SweepReport, error) {
	var report SweepReport
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return report, &Error{Op: OpCleanup, Err: err}
	}
	defer leave()
	now, objects, err := r.survey(ctx)
	if err != nil {
		return report, joinErrors(ctx.Err(), context.Cause(ctx), fail(OpCleanup, err), nil)
	}
	limits := bounds.From(ctx)
	var failed []error
	for _, o := range objects {
		what := o.Kind + " " + o.Name
		why := owner.KeepReason(o.Labels, now.Add(-limits.Grace))
		if why == "" {
			if err := r.remove(ctx, o); err != nil {
				failed = append(failed, err)
				why = err.Error()
			}
		}
		if why != "" {
			report.Left = append(report.Left, what+": "+why)
		} else {
			report.Removed = append(report.Removed, what)
		}
	}
	return report, joinErrors(nil, nil, nil, errors.Join(failed...))
}

// survey returns the engine's time and the objects of runs, containers first:
// they hold the volumes.
func (r *Runner) survey(ctx context.Context) (now time.Time, objects []dockerx.Object, err error) {
	if _, err := r.connect(ctx); err != nil {
		return now, nil, err
	}
	if now, err = r.client.Clock(ctx); err != nil {
		return now, nil, err
	}
	// A volume that is listed before the containers is not held by one that is
	// created after them.
	volumes, err := r.client.Volumes(ctx, owner.LabelRun)
	if err != nil {
		return now, nil, err
	}
	containers, err := r.client.Containers(ctx, owner.LabelRun)
	return now, slices.DeleteFunc(slices.Concat(containers, volumes), notOurs), err
}

func notOurs(o dockerx.Object) bool { return !owner.Ours(o.Name, o.Labels) }

func (r *Runner) remove(ctx context.Context, o dockerx.Object) error {
	bound := bounds.From(ctx).Cleanup
	late := fmt.Errorf("not removed within %v", bound)
	ctx, cancel := context.WithTimeoutCause(ctx, bound, late)
	defer cancel()
	if o.Kind == dockerx.KindContainer {
		return r.client.Remove(ctx, o.Name, 0)
	}
	// What the engine was still creating when the containers were listed can hold
	// the volume, and shows only now.
	var failed error
	for {
		call, cancel := context.WithTimeoutCause(ctx, time.Second, late)
		err := r.client.RemoveVolume(call, o.Name, 0)
		again := call.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			return nil
		}
		if !again {
			return errors.Join(err, failed)
		}
		holders, listErr := r.client.Containers(ctx, owner.LabelRun+"="+o.Labels[owner.LabelRun])
		failed = listErr // of the last try: while there is time, there is another
		for _, c := range slices.DeleteFunc(holders, notOurs) {
			failed = errors.Join(failed, r.client.Remove(ctx, c.Name, 0))
		}
	}
}
