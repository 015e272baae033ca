//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// An engine that cannot make the disk runs nothing.
func TestDiskUnsupported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"invalid options":        {"POST /volumes/create", http.StatusBadRequest},
		"no volume":              {"POST /volumes/create", http.StatusInternalServerError},
		"no mount":               {"POST /containers/job-stage/start", http.StatusInternalServerError},
		"no start of the holder": {"POST /containers/job-stage/start", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Bool
			p := NewProxy(t, api, func(x *Exchange) {
				if x.Text != c.request {
					x.Forward()
					return
				}
				asked.Store(true)
				x.Writer.Header().Set("Content-Type", "application/json")
				x.Writer.WriteHeader(c.status)
				io.WriteString(x.Writer, `{"message":"no such thing here"}`)
			})
			r, err := New(Options{Host: p.Host})
			require.NoError(t, err)
			_, id, err := runWith(context.Background(), r, capped("echo ran", 16))
			require.NoError(t, r.Close())
			require.True(t, asked.Load())
			assertNothingLeft(t, id)
			assertTrue(t, err, []Op{OpStage})
			require.ErrorIs(t, err, ErrUnsupported)
			require.ErrorContains(t, err, "Limits.DiskMB 16")
			require.ErrorContains(t, err, "no such thing here")
			require.NotContains(t, p.Requests(), "POST /containers/job/start")
		})
	}
}

// Somebody stops what holds the disk: that is an error, since its files are gone.
func TestDiskAndStranger(t *testing.T) {
	for _, c := range []struct {
		phase, what string
		act         act
		want        strangerWant
	}{
		{beforeUpload, "starts", doStart, strangerWant{op: OpStage}},
		{beforeUpload, "removes", doRemove, strangerWant{op: OpStage, text: "No such container: "}},
		{beforeCreate, "removes", doRemove, strangerWant{op: OpCreate, or: OpCreate}},
		{beforeCreate, "kills", doKill, strangerWant{op: OpCreate, or: OpCreate}},
		{beforeStart, "removes", doRemove, strangerWant{op: OpStart, or: OpCollect}},
		{beforeStart, "kills", doKill, strangerWant{op: OpStart, or: OpCollect}},
		{whileRunning, "removes", doRemove, strangerWant{op: OpWait, or: OpCollect}},
		{whileRunning, "kills", doKill, strangerWant{op: OpWait, or: OpCollect}},
		{beforeStat, "removes", doRemove, strangerWant{op: OpCollect}},
		{beforeStat, "kills", doKill, strangerWant{op: OpCollect}},
		{beforeCreate, "restarts", doRestart, strangerWant{op: OpCreate, or: OpCreate}},
		{beforeStart, "restarts", doRestart, strangerWant{op: OpStart, or: OpCollect}},
		{whileRunning, "restarts", doRestart, strangerWant{op: OpWait, or: OpCollect}},
		{beforeStat, "restarts", doRestart, strangerWant{op: OpCollect}},
		{beforeUnstage, "kills", doKill, strangerWant{}},
	} {
		t.Run(c.phase+" "+c.what, func(t *testing.T) {
			t.Parallel()
			j := capped("printf 'started\n'; cat /workspace/in; sleep 1; cp /workspace/in /workspace/out", 16)
			j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input"}))
			j.Collect = []string{"/workspace/out"}
			s := &stranger{phase: c.phase, act: staging(c.act)}
			res, err := s.run(t, j)
			require.NoError(t, s.err)
			c.want.check(t, res, err)
		})
	}
}

// A Sweep also removes what still holds a disk.
func TestDiskSweep(t *testing.T) {
	t.Parallel()
	p := NewProxy(t, api, func(x *Exchange) {
		if x.Text == beforeAttach {
			x.Proxy.Vanish()
			x.Drop()
		}
		x.Forward()
	})
	r, err := New(Options{Host: p.Host})
	require.NoError(t, err)
	_, id, err := runWith(bounds.With(context.Background(), gone.bounds("")), r, capped("echo ran", 16))
	require.NoError(t, r.Close())
	require.ErrorIs(t, err, ErrCleanup)
	holder, err := api.ContainerInspect(context.Background(), owner.NamePrefix+id+"-stage")
	require.NoError(t, err)
	require.True(t, holder.State.Running)
	sweepOnce(t, bounds.Default())
	assertNothingLeft(t, id)
}

// What holds the disk is as locked down as a job, runs nothing of the image, and
// nothing that a job writes is on the engine's disk.
func TestDiskHolder(t *testing.T) {
	t.Parallel()
	var holder, job container.InspectResponse
	var top container.TopResponse
	s := &stranger{phase: whileRunning, act: func(ctx context.Context, name string) (err error) {
		if holder, _, err = api.ContainerInspectWithRaw(ctx, name+"-stage", true); err != nil {
			return err
		}
		if top, err = api.ContainerTop(ctx, name+"-stage", []string{"-eo", "pid,uid,args"}); err != nil {
			return err
		}
		for written := false; !written; {
			stat, err := api.ContainerStatPath(ctx, name, "/tmp/written")
			if written = err == nil && stat.Name != ""; !written && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		job, _, err = api.ContainerInspectWithRaw(ctx, name, true)
		return err
	}}
	j := strangerJob(t, makeImage(t, "held", busyboxFiles(), "VOLUME /data", `ENTRYPOINT ["sh", "-c", "exec \"$@\"", "entry"]`))
	j.Cmd[2] = "dd if=/dev/zero of=/tmp/big bs=1M count=10 2>/dev/null; cp /tmp/big /data/big; : >/tmp/written; " + j.Cmd[2]
	j.Limits.DiskMB = 64
	j.Limits.Timeout = 0
	res, err := s.run(t, j)
	require.NoError(t, s.err)
	complete.check(t, res, err)

	require.Len(t, top.Processes, 2, "the init and the program")
	for _, p := range top.Processes {
		require.Equal(t, "65532", p[1])
		require.Contains(t, p[2], holder.Name)
	}
	require.Equal(t, holder.Name, top.Processes[1][2])
	require.Equal(t, []string{holder.Name}, []string(holder.Config.Entrypoint))
	require.Empty(t, holder.Config.Cmd)
	require.Equal(t, "65532:65532", holder.Config.User)
	require.Equal(t, []string{"ALL"}, []string(holder.HostConfig.CapDrop))
	require.Empty(t, holder.HostConfig.CapAdd)
	require.Equal(t, []string{"no-new-privileges"}, holder.HostConfig.SecurityOpt)
	require.False(t, holder.HostConfig.Privileged)
	require.Equal(t, container.NetworkMode("none"), holder.HostConfig.NetworkMode)
	require.Equal(t, "none", holder.HostConfig.LogConfig.Type)
	require.Equal(t, container.RestartPolicyDisabled, holder.HostConfig.RestartPolicy.Name)
	require.Less(t, *holder.SizeRw, int64(1024), "bytes beside the image's")
	require.Zero(t, *job.SizeRw)
	for _, m := range append(job.Mounts, holder.Mounts...) {
		require.Contains(t, []string{"bind", "volume", "tmpfs"}, string(m.Type))
	}
	require.NotEmpty(t, job.Mounts)
}
