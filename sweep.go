package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
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
		return report, verdict(ctx.Err(), context.Cause(ctx), fail(OpCleanup, err), nil)
	}
	var failed []error
	for _, o := range objects {
		what := o.Kind + " " + o.Name
		why := stays(o, now.Add(-r.bounds.grace))
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
	return report, verdict(nil, nil, nil, errors.Join(failed...))
}

// survey returns the engine's time and the objects of runs, containers first:
// they hold the volumes.
func (r *Runner) survey(ctx context.Context) (now time.Time, objects []dockerx.Object, err error) {
	if _, err := r.connect(ctx); err != nil {
		return now, nil, err
	}
	if now, err = r.engine.Clock(ctx); err != nil {
		return now, nil, err
	}
	// A volume that is listed before the containers is not held by one that is
	// created after them.
	volumes, err := r.engine.Volumes(ctx, labelRun)
	if err != nil {
		return now, nil, err
	}
	containers, err := r.engine.Containers(ctx, labelRun)
	return now, slices.DeleteFunc(slices.Concat(containers, volumes), foreign), err
}

// foreign tells an object whose name and label are not those of a run.
func foreign(o dockerx.Object) bool {
	m := objectName.FindStringSubmatch(o.Name)
	return m == nil || m[1] != o.Labels[labelRun]
}

// stays tells why an object must not be removed, "" = it is left over. What
// expired before past is.
func stays(o dockerx.Object, past time.Time) string {
	_, lives := live.Load(o.Labels[labelRun])
	by, known := parseOwner(o.Labels[labelOwner])
	switch me := self(); {
	case lives:
		return "its run is live in this process"
	case known && by.load == me.load:
		return ""
	case known && by.seenBy(me) && by.runs():
		return fmt.Sprintf("its process, PID %d, is running", by.pid)
	case known && by.seenBy(me):
		return ""
	}
	expires, err := time.Parse(time.RFC3339, o.Labels[labelExpires])
	switch {
	case err != nil:
		return "its process cannot be seen from here, and it has no expiry"
	case expires.After(past):
		return "its process cannot be seen from here, and it expires at " + o.Labels[labelExpires]
	}
	return ""
}

func (r *Runner) remove(ctx context.Context, o dockerx.Object) error {
	late := fmt.Errorf("not removed within %v", r.bounds.cleanup)
	ctx, cancel := context.WithTimeoutCause(ctx, r.bounds.cleanup, late)
	defer cancel()
	if o.Kind == dockerx.KindContainer {
		return r.engine.Remove(ctx, o.Name, 0)
	}
	// What the engine was still creating when the containers were listed can hold
	// the volume, and shows only now.
	var failed error
	for {
		call, cancel := context.WithTimeoutCause(ctx, time.Second, late)
		err := r.engine.RemoveVolume(call, o.Name, 0)
		again := call.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil {
			return nil
		}
		if !again {
			return errors.Join(err, failed)
		}
		holders, listErr := r.engine.Containers(ctx, labelRun+"="+o.Labels[labelRun])
		failed = listErr // of the last try: while there is time, there is another
		for _, c := range slices.DeleteFunc(holders, foreign) {
			failed = errors.Join(failed, r.engine.Remove(ctx, c.Name, 0))
		}
	}
}
