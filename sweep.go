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

// SweepReport is what a Sweep did. Each entry begins with "container" or "volume"
// and the object's name.
type SweepReport struct {
	Removed []string // what was removed; nil = nothing
	Left    []string // what stays, each with the reason; nil = nothing
}

// Sweep removes the containers, in every state, and the volumes that a run, or a Runner,
// left on the engine because its process was killed or its clean-up failed. It is safe to
// call while runs of any process, on any machine, are in progress. It touches only
// objects that carry the labels and the name of a run.
//
// An object is removed in one of four cases:
//   - It belongs to this process, but not to a run in progress.
//   - It belongs to a process of this boot and PID namespace that has ended.
//   - It belongs to a process that cannot be seen from here, and the run's context
//     had a deadline. By the engine's clock, that deadline, plus the time that
//     RunOnce may take after it, passed more than five minutes ago.
//   - It belongs to a process that cannot be seen from here, and the job had a
//     Timeout. By the engine's clock, its command was started so long ago that the
//     Timeout, plus the time that the answer to the start may take, and RunOnce after
//     the Timeout, passed more than five minutes ago. If the command has ended and the job had
//     paths in Collect, two seconds for each MiB of ArtifactBytes are added, and for at least
//     256 MiB; with OutputTar 160 seconds for each MiB of an archive of twice that and more.
//
// While a job's Setup runs, [Setup.Timeout] counts in its Timeout's place. Between the
// two commands of a run none has been started.
//
// What a Runner keeps counts as a run that lasts until Close, with a deadline a week after
// it was made. A Runner replaces it after a day.
//
// Everything else stays and is listed in Left, including runs in progress. If a
// process was killed a moment ago, the engine may still be creating an object for
// it; the next Sweep finds that.
//
// Machines that were cloned while running, including their memory, cannot tell
// each other apart. They must not share an engine.
//
// The error has Op [OpCleanup]. It wraps [ErrCleanup] if a removal failed.
func (r *Runner) Sweep(ctx context.Context) (SweepReport, error) { return r.sweep(ctx, r.remove) }

// Leftovers tells what a Sweep would do now, and removes nothing: Removed lists what would be.
func (r *Runner) Leftovers(ctx context.Context) (SweepReport, error) {
	return r.sweep(ctx, func(context.Context, dockerx.Object) error { return nil })
}

// sweep calls remove for all that is left over.
func (r *Runner) sweep(ctx context.Context, remove func(context.Context, dockerx.Object) error) (SweepReport, error) {
	var report SweepReport
	ctx, leave, err := r.enter(ctx)
	if err != nil {
		return report, &Error{Op: OpCleanup, Err: err}
	}
	defer leave()
	watch := owner.NewWatch()
	defer watch.Close()
	now, objects, err := r.survey(ctx)
	if err != nil {
		return report, joinErrors(ctx.Err(), context.Cause(ctx), fail(OpCleanup, err), nil)
	}
	reasons, err := r.keepReasons(ctx, objects, now.Add(-bounds.From(ctx).Grace))
	if err != nil {
		return report, joinErrors(ctx.Err(), context.Cause(ctx), fail(OpCleanup, err), nil)
	}
	var failed []error
	for i, o := range objects {
		what, why := o.Kind+" "+o.Name, reasons[i]
		if why == "" && watch.Ended(o.Labels[owner.LabelRun]) {
			why = "its run in this process has ended meanwhile"
		}
		if why == "" {
			if err := remove(ctx, o); err != nil {
				failed = append(failed, err)
				why = err.Error()
				r.over.Store(o.Labels[owner.LabelRun], nil)
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

// keepReasons tells of each object why it must not be removed, "" = it is left over.
func (r *Runner) keepReasons(ctx context.Context, objects []dockerx.Object, past time.Time) ([]string, error) {
	byStart, err := r.byStart(ctx, objects, past)
	if err != nil {
		return nil, err
	}
	var reasons []string
	for _, o := range objects {
		why, run := owner.KeepReason(o.Labels, past), o.Labels[owner.LabelRun]
		if why != "" && owner.Unseen(o.Labels) {
			if late, known := byStart[run]; known {
				why = late
			} else if _, over := r.over.Load(run); over {
				why = "" // the container that told it was removed by an earlier Sweep
			}
		}
		reasons = append(reasons, why)
	}
	return reasons, nil
}

// byStart finds the runs that only the start of their commands can tell to be over, and
// says of each what KeepReason does.
func (r *Runner) byStart(ctx context.Context, objects []dockerx.Object, past time.Time) (map[string]string, error) {
	why := map[string]string{}
	for _, o := range objects {
		run := o.Labels[owner.LabelRun]
		timed := owner.LimitsOf(o.Labels).Timeout > 0 && owner.Unseen(o.Labels)
		if o.Kind != dockerx.KindContainer || !owner.OfCommand(o.Name, run) || !timed || owner.KeepReason(o.Labels, past) == "" {
			continue
		}
		at, running, err := r.client.Started(ctx, o.Name)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			why[run] = fmt.Sprintf("its process cannot be seen from here, and the start of its command is not known: %v", err)
		default:
			why[run] = owner.KeepReasonByStart(o.Labels, at, running, past)
		}
	}
	return why, nil
}

func notOurs(o dockerx.Object) bool { return !owner.Ours(o.Name, o.Labels) }

func (r *Runner) remove(ctx context.Context, o dockerx.Object) error {
	bound := bounds.From(ctx).Ending
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
