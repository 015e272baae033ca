package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// bounds limit every wait of a run that neither the job's Timeout nor the
// caller's context does. Tests shrink them.
type bounds struct {
	engine  dockerx.Bounds
	stop    time.Duration // from the decision to kill to the confirmed exit
	drain   time.Duration // between the output's end and the exit, either way round
	reader  time.Duration // for a caller's Read after the upload has ended
	settle  time.Duration // how long a create whose answer was lost may still succeed
	cleanup time.Duration // the whole clean-up
}

var defaultBounds = bounds{
	engine:  dockerx.DefaultBounds,
	stop:    30 * time.Second,
	drain:   5 * time.Second,
	reader:  500 * time.Millisecond,
	settle:  2 * time.Second,
	cleanup: 30 * time.Second,
}

// runner is an engine and what its runs share.
type runner struct {
	engine *dockerx.Client
	bounds bounds
	newID  func() string
}

func newRunner(b bounds) (*runner, error) {
	engine, err := dockerx.New(b.engine)
	if err != nil {
		return nil, &Error{Op: OpPull, Err: err}
	}
	return &runner{engine: engine, bounds: b, newID: randomID}, nil
}

func (r *runner) close() error { return r.engine.Close() }

// randomID has 128 bits: the names made of it are nobody else's.
func randomID() string {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// Labels of every container and volume.
const (
	labelRun   = "io.synchestra.sandbox.run" // the run's ID
	namePrefix = "sandbox-"                  // of every name, before the run's ID
)

// run is one run: its name, from which the names of all its objects derive, and
// what has to be undone at its end.
type run struct {
	*runner
	name   string
	labels map[string]string
	undo   teardown
}

func (r *runner) newRun() *run {
	id := r.newID()
	return &run{runner: r, name: namePrefix + id, labels: map[string]string{labelRun: id}}
}

// createVolume makes a volume that is removed at the run's end.
func (r *run) createVolume(ctx context.Context, name string) error {
	return r.create(ctx, func(ctx context.Context, unsure time.Duration) error {
		return r.engine.RemoveVolume(ctx, name, unsure)
	}, func(ctx context.Context) error {
		return r.engine.CreateVolume(ctx, name, r.labels)
	})
}

// createContainer makes a container that is killed and removed at the run's end.
func (r *run) createContainer(ctx context.Context, name string, config *container.Config, host *container.HostConfig) error {
	return r.create(ctx, func(ctx context.Context, unsure time.Duration) error {
		return r.engine.Remove(ctx, name, unsure)
	}, func(ctx context.Context) error {
		return r.engine.Create(ctx, name, config, host)
	})
}

// create pushes the removal before it makes the object. When the engine's
// answer is lost, the removal has to reckon with an object that appears late.
func (r *run) create(ctx context.Context, remove func(context.Context, time.Duration) error, make func(context.Context) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var unsure time.Duration
	r.undo.push(func(ctx context.Context) error { return remove(ctx, unsure) })
	err := make(ctx)
	if !dockerx.OutcomeKnown(err) {
		unsure = r.bounds.settle
	}
	return err
}
