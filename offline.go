package sandbox

import (
	"context"
	"time"

	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// offline keeps a volume with the host files for all runs of a Runner.
type offline struct {
	turn chan struct{} // held while one of the others is used
	kept *hostVolume   // nil = none yet, or it is lost
	old  []*hostVolume // what runs in progress may have
}

func newOffline() *offline { return &offline{turn: make(chan struct{}, 1)} }

// A volume is given to new containers for a day. A Sweep that cannot see this process
// leaves it alone for a week, since a container that has it may run that long.
const (
	hostVolumeAge    = 24 * time.Hour
	hostVolumeExpiry = 7 * hostVolumeAge
)

// hold waits until nobody else uses o.
func (o *offline) hold(ctx context.Context) (release func(), err error) {
	release = func() { <-o.turn }
	select {
	case o.turn <- struct{}{}:
		return release, nil
	default: // also if ctx has ended
	}
	select {
	case o.turn <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// get returns the volume that is kept, and makes one if there is none.
func (o *offline) get(ctx context.Context, by *run, image dockerx.Image) (*hostVolume, error) {
	release, err := o.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	now := time.Now().Round(0) // also while the machine is suspended
	if o.kept != nil && now.Sub(o.kept.made).Abs() < hostVolumeAge && o.kept.engine.RootDir == by.engine.RootDir {
		return o.kept, nil
	}
	r := by.outliving(now)
	kept := false
	by.undo.Push(cleanup.Volume, r.name, func(ctx context.Context) error { // it is this run's until it is kept
		if kept {
			return nil
		}
		return r.outlived(ctx)
	})
	made, err := r.makeHostVolume(ctx, image)
	if err != nil {
		return nil, err
	}
	o.removeOld(ctx) // not the one that is replaced now: a container that has it may be about to start
	o.retire()
	made.made, kept, o.kept = now, true, made
	return made, nil
}

// outliving is a run without a command, for what outlives this one.
func (r *run) outliving(now time.Time) *run {
	id := owner.RandomID()
	owner.Begin(id)
	return &run{
		client: r.client, bounds: r.bounds, id: id, name: owner.NamePrefix + id, verify: map[string]dockerx.Check{},
		labels: owner.Labels(id, r.client.Time(r.engine, now).Add(hostVolumeExpiry)),
		engine: r.engine, platform: r.platform, sent: r.sent,
	}
}

// outlived undoes what a run made that outlives others.
func (r *run) outlived(ctx context.Context) error {
	defer owner.End(r.id)
	return r.undo.Run(ctx)
}

// retire moves the volume that is kept to the old ones.
func (o *offline) retire() {
	if o.kept != nil {
		o.kept, o.old = nil, append(o.old, o.kept)
	}
}

// removeOld removes the old volumes to which no container refers. Where a container has
// files by their path, it keeps them.
func (o *offline) removeOld(ctx context.Context) {
	var used []*hostVolume
	for _, v := range o.old {
		if v.client.RemoveUnused(ctx, v.name()) == nil {
			owner.End(v.id)
		} else {
			used = append(used, v)
		}
	}
	o.old = used
}

// forget makes the next get make another volume.
func (o *offline) forget(ctx context.Context, v *hostVolume) error {
	release, err := o.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	if o.kept == v {
		o.retire()
	}
	return nil
}

// close removes all volumes before ctx ends, which has a deadline.
func (o *offline) close(ctx context.Context) error {
	release, err := o.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	o.retire()
	var all cleanup.Teardown
	for _, v := range o.old {
		all.Push(cleanup.Volume, v.name(), v.outlived)
	}
	o.old = nil
	return all.Run(ctx)
}
