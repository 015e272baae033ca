//go:build docker

package chaos_test

import (
	"context"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// expectation is the outcome of a run that another client interferes with.
type expectation struct {
	op       sandbox.Op // "" = no error, and then
	or       sandbox.Op // as well
	orNone   bool       // or no error
	text     string     // of the error
	exit     int
	timedOut bool
	partial  bool // the job did not come to its artifact
}

var (
	complete = expectation{}
	inUse    = "volume is in use" // why an act fails
	wasGone  = "the container was removed by another client"
	noSuch   = "No such container: "
	again    = "the container was started again by another client"
)

func TestOtherClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phase   string
		what    string
		act     act
		refused string // why the engine refuses the act
		want    expectation
	}{
		{phase: beforeUpload, what: "removes the staging container", act: staging(doRemove), want: expectation{op: sandbox.OpStage, text: noSuch}},
		{phase: beforeCreate, what: "removes the staging container", act: staging(doRemove), want: expectation{op: sandbox.OpCreate, text: wasGone}},
		{phase: whileRunning, what: "removes the staging container", act: staging(doRemove)},
		{phase: beforeUnstage, what: "removes the staging container", act: staging(doRemove)},
		{phase: beforeUpload, what: "starts the staging container", act: staging(doStart)},
		{phase: beforeCreate, what: "restarts the staging container", act: staging(doRestart)},
		{phase: whileRunning, what: "starts the staging container", act: staging(doStart)},
		{phase: beforeUnstage, what: "stops the staging container", act: staging(doStop)},

		{phase: beforeStage, what: "removes the volume", act: doRemoveVolume},
		{phase: beforeUpload, what: "removes the volume", act: doRemoveVolume, refused: inUse},
		{phase: beforeCreate, what: "prunes", act: prune, want: expectation{op: sandbox.OpCreate, text: wasGone}},
		{phase: whileRunning, what: "prunes", act: prune, refused: inUse},
		{phase: beforeLast, what: "removes the volume", act: doRemoveVolume},

		{phase: beforeLook, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpCreate, text: wasGone}},
		{phase: beforeAttach, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpStart, text: wasGone}},
		{phase: beforeWait, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpStart, text: noSuch}},
		{phase: beforeStart, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpStart, text: noSuch}},
		{phase: whileRunning, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpWait, text: wasGone}},
		{phase: beforeStat, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpCollect, text: wasGone}},
		{phase: beforeRead, what: "removes the container", act: doRemove, want: expectation{op: sandbox.OpCollect, text: noSuch}},
		{phase: beforeRemoval, what: "removes the container", act: doRemove},

		// The library sees that the container runs, or that it has ended.
		{phase: beforeAttach, what: "starts the container", act: doStart, want: expectation{op: sandbox.OpStart, text: "start"}},
		{phase: beforeStart, what: "starts the container", act: doStart},
		{phase: beforeAttach, what: "runs the container to its end", act: runToEnd, want: expectation{op: sandbox.OpStart, text: "by another client"}},
		{phase: beforeWait, what: "runs the container to its end", act: runToEnd, want: expectation{op: sandbox.OpStart, text: "ended before the start"}},
		// Between the library's inspection of the container and its start. Both runs can be
		// over before the next inspection, with the same result.
		{phase: beforeStart, what: "runs the container to its end", act: runToEnd, want: expectation{op: sandbox.OpWait, or: sandbox.OpCollect, text: again, orNone: true}},
		{phase: beforeStat, what: "starts the container", act: doStart, want: expectation{op: sandbox.OpCollect, text: again}},
		{phase: beforeRemoval, what: "restarts the container", act: doRestart},

		{phase: whileRunning, what: "pauses the container", act: doPause, want: expectation{exit: runtest.Killed, timedOut: true, partial: true}},
		{phase: whileRunning, what: "stops the container", act: doStop, want: expectation{exit: 128 + 15, partial: true}},
		{phase: whileRunning, what: "kills the container", act: doKill, want: expectation{exit: runtest.Killed, partial: true}},
		{phase: whileRunning, what: "restarts the container", act: doRestart, want: expectation{op: sandbox.OpWait, or: sandbox.OpCollect, text: again}},
	} {
		t.Run(c.phase[strings.Index(c.phase, " ")+1:]+" "+c.what, func(t *testing.T) {
			t.Parallel()
			s := &otherClient{phase: c.phase, act: c.act}
			res, err := s.run(t, runtest.WaitingJob(enginetest.Busybox()))
			if c.refused == "" {
				require.NoError(t, s.err)
			} else {
				require.ErrorContains(t, s.err, c.refused)
			}
			c.want.check(t, res, err)
		})
	}
}

func (w expectation) check(t *testing.T, res sandbox.Result, err error) {
	t.Helper()
	if w.op != "" && (err != nil || !w.orNone) {
		var step *sandbox.Error
		require.ErrorAs(t, err, &step, "no error, but %+v", res)
		require.Contains(t, []sandbox.Op{w.op, w.or}, step.Op, "%v", err)
		require.ErrorContains(t, err, w.text)
		require.NotErrorIs(t, err, sandbox.ErrCleanup)
		require.Empty(t, res.Artifacts)
		return
	}
	require.NoError(t, err)
	require.Contains(t, "started\ninput", string(res.Logs)) // all, or what came before the act
	require.Equal(t, w.exit, res.ExitCode)
	require.Equal(t, w.timedOut, res.TimedOut)
	if !w.partial {
		require.Equal(t, "started\ninput", string(res.Logs))
		require.Equal(t, map[string][]byte{"/workspace/out": []byte("input")}, res.Artifacts)
		require.Empty(t, res.Uncollected)
	}
}

// A paused container is killed and removed like any other.
func TestOtherClientPausesAndTheCallerCancels(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &otherClient{phase: whileRunning, act: func(ctx context.Context, name string) error {
		defer cancel()
		return doPause(ctx, name)
	}}
	j := runtest.WaitingJob(enginetest.Busybox())
	j.Limits.Timeout = 0
	_, err := s.runContext(t, ctx, j)
	require.NoError(t, s.err)
	require.ErrorIs(t, err, context.Canceled)
	runtest.RequireStep(t, err, sandbox.OpStart, sandbox.OpWait) // output can come before the start is answered
	require.ErrorContains(t, err, "context canceled")
}

func TestOtherClientRemovesTheImage(t *testing.T) {
	untag := func(ctx context.Context, ref string) error {
		if err := enginetest.API.ImageTag(ctx, ref, strings.TrimSuffix(ref, ":test")+":other"); err != nil {
			return err
		}
		_, err := enginetest.API.ImageRemove(ctx, ref, image.RemoveOptions{})
		return err
	}
	erase := func(ctx context.Context, ref string) error {
		_, err := enginetest.API.ImageRemove(ctx, ref, image.RemoveOptions{Force: true, PruneChildren: true})
		return err
	}
	for _, c := range []struct {
		name, phase string
		act         act
		want        expectation
	}{
		{"untagged-before-staging", beforeStage, untag, complete},
		{"untagged-before-create", beforeCreate, untag, complete},
		// Two containers are created side by side.
		{"deleted-before-staging", beforeStage, erase, expectation{op: sandbox.OpStage, or: sandbox.OpCreate, text: "No such image: "}},
		{"deleted-before-create", beforeCreate, erase, expectation{op: sandbox.OpCreate, or: sandbox.OpStage, text: "No such image: "}},
		{"deleted-before-start", beforeStart, erase, complete},
		{"deleted-while-running", whileRunning, erase, complete},
		{"deleted-before-read", beforeRead, erase, complete},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := append(enginetest.BusyboxFiles(), tarball.File{Name: "etc/image", Body: c.name}) // an ID of its own
			ref := enginetest.MakeImage(t, c.name, files)
			made, err := enginetest.API.ImageInspect(context.Background(), ref)
			require.NoError(t, err)
			t.Cleanup(func() { // it may have no name by which it would be removed
				if _, err := enginetest.API.ImageRemove(context.Background(), made.ID, image.RemoveOptions{Force: true}); !errdefs.IsNotFound(err) {
					require.NoError(t, err)
				}
			})
			s := &otherClient{phase: c.phase, act: func(ctx context.Context, _ string) error { return c.act(ctx, ref) }}
			res, err := s.run(t, runtest.WaitingJob(ref))
			require.NoError(t, s.err)
			c.want.check(t, res, err)
		})
	}
}
