//go:build docker

package chaos_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// otherClient is another client of the engine. It acts once, in one phase of a run.
type otherClient struct {
	phase string
	act   act
	err   error  // of the act
	name  string // of the job's container, from the run on
}

// run runs the job and releases it after the act.
func (c *otherClient) run(t *testing.T, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return c.runContext(t, ctx, j)
}

func (c *otherClient) runContext(t *testing.T, ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
	t.Helper()
	var once sync.Once
	var acting sync.RWMutex // held while the act is under way on a running job
	id := owner.RandomID()
	name := owner.NamePrefix + id
	c.name = name
	var started atomic.Bool
	uploaded := make(chan struct{}) // closed when the input has gone in, beside which a container is created
	var upload sync.Once
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if x.String() == beforeStart {
			started.Store(true)
		}
		if phase := x.String(); phase == c.phase && (phase != beforeStat || started.Load()) || phase == beforeStat && c.phase == beforeLook {
			if phase == beforeCreate || phase == beforeSetup {
				<-uploaded
			}
			once.Do(func() { c.err = c.act(context.WithoutCancel(ctx), name) })
		}
		waitForAct(&acting)
		x.Forward()
		if x.String() == beforeUpload {
			upload.Do(func() { close(uploaded) })
		}
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
		if c.phase == whileRunning {
			acting.Lock()
			c.err = c.act(watch, name)
			acting.Unlock()
		}
		enginetest.Release(watch, enginetest.API, name) // the act may have removed the job
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

// waitForAct returns when no act is under way.
func waitForAct(acting *sync.RWMutex) {
	acting.RLock()
	defer acting.RUnlock()
}

// The phases of a run, each named by its first request; in one the command runs.
const (
	beforeStage   = "POST /containers/create job-stage"
	beforeUpload  = "PUT /containers/job-stage/archive"
	beforeCreate  = "POST /containers/create job"
	beforeLook    = "look" // at the job's directories, before the start
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

// act does something to the job's container, whose name it gets, or to an image.
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

// staging applies an act to the staging container.
func staging(a act) act {
	return func(ctx context.Context, name string) error { return a(ctx, name+"-stage") }
}

// prune removes what no running container uses, as docker system prune does.
func prune(ctx context.Context, name string) error {
	if err := staging(doRemove)(ctx, name); err != nil {
		return err
	}
	return doRemoveVolume(ctx, name)
}

// runToEnd runs the job to its end while the library does not know.
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
