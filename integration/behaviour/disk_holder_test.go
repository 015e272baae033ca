//go:build docker

package behaviour_test

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// The container that holds the disk is hardened like a job and runs nothing of the
// image. Nothing that a job writes is on the engine's disk.
func TestDiskHolder(t *testing.T) {
	t.Parallel()
	var holder, job container.InspectResponse
	var top container.TopResponse
	j := runtest.WaitingJob(enginetest.MakeImage(t, "held", enginetest.BusyboxFiles(), "VOLUME /data", `ENTRYPOINT ["sh", "-c", "exec \"$@\"", "entry"]`))
	j.Cmd[2] = "dd if=/dev/zero of=/tmp/big bs=1M count=10 2>/dev/null; cp /tmp/big /data/big; : >/tmp/written; " + j.Cmd[2]
	j.Limits.DiskMB = 64
	j.Limits.Timeout = 0
	res, err := runtest.WhileRunning(t, j, func(ctx context.Context, name string) (err error) {
		if holder, _, err = enginetest.API.ContainerInspectWithRaw(ctx, name+"-stage", true); err != nil {
			return err
		}
		if top, err = enginetest.API.ContainerTop(ctx, name+"-stage", []string{"-eo", "pid,uid,args"}); err != nil {
			return err
		}
		for written := false; !written; {
			stat, err := enginetest.API.ContainerStatPath(ctx, name, "/tmp/written")
			if written = err == nil && stat.Name != ""; !written && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		job, _, err = enginetest.API.ContainerInspectWithRaw(ctx, name, true)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "started\ninput", string(res.Logs))
	require.Equal(t, map[string]string{"/workspace/out": "input"}, texts(res))

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
