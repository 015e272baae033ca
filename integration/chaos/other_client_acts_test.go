//go:build docker

package chaos_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// stranger is another client of the engine, who acts once in a phase of a run.
type otherClient struct {
	phase string
	act   act
	err   error // of the act
}

// run runs the job, and lets it go on after the act.
func (s *otherClient) run(t *testing.T, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return s.runContext(t, ctx, j)
}

func (s *otherClient) runContext(t *testing.T, ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	var once sync.Once
	id := owner.RandomID()
	name := owner.NamePrefix + id
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if x.String() == s.phase {
			once.Do(func() { s.err = s.act(context.WithoutCancel(ctx), name) })
		}
		x.Forward()
	})
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)

	watch, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if enginetest.WaitStarted(watch, enginetest.API, name) != nil {
			return // the run came to its end before
		}
		if s.phase == whileRunning {
			s.err = s.act(watch, name)
		}
		enginetest.Release(watch, enginetest.API, name) // no matter if the job is not there any more
	}()
	begin := time.Now()
	res, err := r.RunOnce(owner.WithID(ctx, id), j)
	require.Less(t, time.Since(begin), 25*time.Second)
	unwatch()
	<-watched
	require.NoError(t, r.Close())
	enginetest.AssertNothingLeft(t, id)
	return res, err
}

// The phases of a run are the requests that they begin with, but for one: the
// command runs.
const (
	beforeStage   = "POST /containers/create job-stage"
	beforeUpload  = "PUT /containers/job-stage/archive"
	beforeCreate  = "POST /containers/create job"
	beforeAttach  = "POST /containers/job/attach"
	beforeWait    = "POST /containers/job/wait"
	beforeStart   = "POST /containers/job/start"
	whileRunning  = "running"
	beforeStat    = "HEAD /containers/job/archive"
	beforeRead    = "GET /containers/job/archive"
	beforeRemoval = "DELETE /containers/job"
	beforeUnstage = "DELETE /containers/job-stage"
	beforeLast    = "DELETE /volumes/job-0"
)

// An act gets the name of the job's container, or the image's for those on images.
type act func(ctx context.Context, name string) error

var (
	byForce = container.RemoveOptions{Force: true}

	doRemove act = func(ctx context.Context, name string) error {
		return enginetest.API.ContainerRemove(ctx, name, byForce)
	}
	doPause act = func(ctx context.Context, name string) error { return enginetest.API.ContainerPause(ctx, name) }
	doKill  act = func(ctx context.Context, name string) error { return enginetest.API.ContainerKill(ctx, name, "KILL") }
	doStop  act = func(ctx context.Context, name string) error {
		return enginetest.API.ContainerStop(ctx, name, container.StopOptions{})
	}
	doRestart act = func(ctx context.Context, name string) error {
		return enginetest.API.ContainerRestart(ctx, name, container.StopOptions{})
	}
	doStart act = func(ctx context.Context, name string) error {
		return enginetest.API.ContainerStart(ctx, name, container.StartOptions{})
	}
	doRemoveVolume act = func(ctx context.Context, name string) error { return enginetest.API.VolumeRemove(ctx, name+"-0", true) }
)

// staging does an act to the staging container.
func staging(a act) act {
	return func(ctx context.Context, name string) error { return a(ctx, name+"-stage") }
}

// prune removes what no running container needs, as system prune does.
func prune(ctx context.Context, name string) error {
	if err := staging(doRemove)(ctx, name); err != nil {
		return err
	}
	return doRemoveVolume(ctx, name)
}

// runToEnd lets the job run behind the library's back.
func runToEnd(ctx context.Context, name string) error {
	exits, errs := enginetest.API.ContainerWait(ctx, name, container.WaitConditionNextExit)
	if err := doStart(ctx, name); err != nil {
		return err
	}
	if err := enginetest.Release(ctx, enginetest.API, name); err != nil {
		return err
	}
	select {
	case <-exits:
		return nil
	case err := <-errs:
		return err
	}
}
