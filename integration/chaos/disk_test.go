//go:build docker

package chaos_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// Stopping the container that holds the disk is an error of the run, because the
// files are gone.
func TestDiskAndOtherClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phase, what string
		act         act
		want        expectation
	}{
		{beforeUpload, "starts", doStart, expectation{op: sandbox.OpStage}},
		{beforeUpload, "removes", doRemove, expectation{op: sandbox.OpStage, text: "No such container: "}},
		{beforeCreate, "removes", doRemove, expectation{op: sandbox.OpCreate, or: sandbox.OpCreate}},
		{beforeCreate, "kills", doKill, expectation{op: sandbox.OpCreate, or: sandbox.OpCreate}},
		{beforeStart, "removes", doRemove, expectation{op: sandbox.OpStart, or: sandbox.OpCollect}},
		{beforeStart, "kills", doKill, expectation{op: sandbox.OpStart, or: sandbox.OpCollect}},
		{whileRunning, "removes", doRemove, expectation{op: sandbox.OpWait, or: sandbox.OpCollect}},
		{whileRunning, "kills", doKill, expectation{op: sandbox.OpWait, or: sandbox.OpCollect}},
		{beforeStat, "removes", doRemove, expectation{op: sandbox.OpCollect}},
		{beforeStat, "kills", doKill, expectation{op: sandbox.OpCollect}},
		{beforeCreate, "restarts", doRestart, expectation{op: sandbox.OpCreate, or: sandbox.OpCreate}},
		{beforeStart, "restarts", doRestart, expectation{op: sandbox.OpStart, or: sandbox.OpCollect}},
		{whileRunning, "restarts", doRestart, expectation{op: sandbox.OpWait, or: sandbox.OpCollect}},
		{beforeStat, "restarts", doRestart, expectation{op: sandbox.OpCollect}},
		{beforeUnstage, "kills", doKill, expectation{}},
	} {
		t.Run(c.phase+" "+c.what, func(t *testing.T) {
			t.Parallel()
			j := runtest.ShellWithDisk("printf 'started\n'; cat /workspace/in; sleep 1; cp /workspace/in /workspace/out", 16)
			j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input"}))
			j.Collect = []string{"/workspace/out"}
			s := &otherClient{phase: c.phase, act: staging(c.act)}
			res, err := s.run(t, j)
			require.NoError(t, s.err)
			c.want.check(t, res, err)
		})
	}
}

// A Sweep also removes the container that holds a disk.
func TestDiskSweep(t *testing.T) {
	t.Parallel()
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if x.Text == beforeAttach {
			x.Proxy.Vanish()
			x.Drop()
		}
		x.Forward()
	})
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	b := hasty()
	b.Call = time.Second
	_, id, err := runtest.RunWith(bounds.With(context.Background(), b), r, runtest.ShellWithDisk("echo ran", 16))
	require.ErrorIs(t, err, sandbox.ErrCleanup)
	kept := r.Close()
	require.ErrorIs(t, kept, sandbox.ErrCleanup)
	require.ErrorContains(t, kept, "-host may be left")
	holder, err := enginetest.API.ContainerInspect(context.Background(), owner.NamePrefix+id+"-stage")
	require.NoError(t, err)
	require.True(t, holder.State.Running)
	sweepOnce(t)
	enginetest.AssertNothingLeft(t, id)
}
