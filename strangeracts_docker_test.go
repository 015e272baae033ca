//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// stranger is another client of the engine, who acts once in a phase of a run.
type stranger struct {
	phase string
	act   act
	err   error // of the act
}

// run runs the job, and lets it go on after the act.
func (s *stranger) run(t *testing.T, j Job) (Result, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return s.runContext(t, ctx, j)
}

func (s *stranger) runContext(t *testing.T, ctx context.Context, j Job) (Result, error) {
	t.Helper()
	var once sync.Once
	id := owner.RandomID()
	name := owner.NamePrefix + id
	p := NewProxy(t, api, func(x *Exchange) {
		if x.String() == s.phase {
			once.Do(func() { s.err = s.act(context.WithoutCancel(ctx), name) })
		}
		x.Forward()
	})
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)

	watch, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if waitStarted(watch, api, name) != nil {
			return // the run came to its end before
		}
		if s.phase == whileRunning {
			s.err = s.act(watch, name)
		}
		letGo(watch, api, name) // no matter if the job is not there any more
	}()
	begin := time.Now()
	res, err := r.RunOnce(owner.WithID(ctx, id), j)
	require.Less(t, time.Since(begin), 25*time.Second)
	unwatch()
	<-watched
	require.NoError(t, r.Close())
	assertNothingLeft(t, id)
	return res, err
}

// waitStarted returns when the container runs, as the engine's events tell.
func waitStarted(ctx context.Context, engine *client.Client, name string) error {
	events, errs := engine.Events(ctx, eventsOf(name))
	for {
		select {
		case e := <-events:
			if e.Action == "start" && e.Actor.Attributes["name"] == name { // the filter also takes a prefix
				return nil
			}
		case err := <-errs:
			return err
		}
	}
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

	doRemove act = func(ctx context.Context, name string) error { return api.ContainerRemove(ctx, name, byForce) }
	doPause  act = func(ctx context.Context, name string) error { return api.ContainerPause(ctx, name) }
	doKill   act = func(ctx context.Context, name string) error { return api.ContainerKill(ctx, name, "KILL") }
	doStop   act = func(ctx context.Context, name string) error {
		return api.ContainerStop(ctx, name, container.StopOptions{})
	}
	doRestart act = func(ctx context.Context, name string) error {
		return api.ContainerRestart(ctx, name, container.StopOptions{})
	}
	doStart act = func(ctx context.Context, name string) error {
		return api.ContainerStart(ctx, name, container.StartOptions{})
	}
	doRemoveVolume act = func(ctx context.Context, name string) error { return api.VolumeRemove(ctx, name+"-0", true) }
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
	exits, errs := api.ContainerWait(ctx, name, container.WaitConditionNextExit)
	if err := doStart(ctx, name); err != nil {
		return err
	}
	if err := letGo(ctx, api, name); err != nil {
		return err
	}
	select {
	case <-exits:
		return nil
	case err := <-errs:
		return err
	}
}

// letGo puts the file in place that the job looks for.
func letGo(ctx context.Context, engine *client.Client, name string) error {
	body := bytes.NewReader(tarball.Of(tarball.File{Name: "go"}))
	return engine.CopyToContainer(ctx, name, "/workspace", body, container.CopyToContainerOptions{})
}
