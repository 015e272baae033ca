//go:build docker

package behaviour_test

import (
	"context"
	"slices"
	"strings"
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
	j.Limits.DiskMB, j.Limits.Timeout = 64, 0
	j.Limits.MemoryMB, j.Limits.CPUs, j.Limits.PIDs = 64, 1, 16 // the benchmark wants limits
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
	require.Equal(t, []string(holder.Config.Entrypoint), []string{top.Processes[1][2]})
	require.Empty(t, holder.Config.Cmd)
	require.Equal(t, "65532:65532", holder.Config.User)
	requireBenchmark(t, job)
	requireBenchmark(t, holder)
	require.Equal(t, job.HostConfig.SecurityOpt, holder.HostConfig.SecurityOpt)
	require.LessOrEqual(t, holder.HostConfig.Memory, int64(32<<20))
	require.LessOrEqual(t, holder.HostConfig.NanoCPUs, int64(500_000_000))
	require.EqualValues(t, 32, *holder.HostConfig.PidsLimit)
	require.Equal(t, "none", holder.HostConfig.LogConfig.Type)
	require.True(t, strings.HasPrefix(top.Processes[1][2], holder.Name+"/"), top.Processes[1][2])
	require.Zero(t, *holder.SizeRw, "bytes beside the image's")
	require.Zero(t, *job.SizeRw)
	for _, m := range append(job.Mounts, holder.Mounts...) {
		require.Contains(t, []string{"bind", "volume", "tmpfs"}, string(m.Type))
	}
	require.NotEmpty(t, job.Mounts)
}

// requireBenchmark asks what the CIS Docker Benchmark asks of a container, by what an
// inspection tells. The numbers are those of its recommendations, version 1.6.
func requireBenchmark(t *testing.T, c container.InspectResponse) {
	t.Helper()
	h := c.HostConfig
	require.Equal(t, []string{"ALL"}, []string(h.CapDrop), "5.4")
	require.Empty(t, h.CapAdd, "5.4")
	require.False(t, h.Privileged, "5.5")
	for _, m := range c.Mounts {
		require.NotContains(t, []string{"/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}, m.Source, "5.6")
		require.NotContains(t, m.Source, "docker.sock", "5.32")
		require.NotContains(t, []string{"shared", "rshared"}, string(m.Propagation), "5.20")
	}
	require.Empty(t, h.PortBindings, "5.8, 5.9")
	require.False(t, h.PublishAllPorts, "5.14")
	require.Equal(t, "none", string(h.NetworkMode), "5.10")
	require.Positive(t, h.Memory, "5.11")
	require.Equal(t, h.Memory, h.MemorySwap, "5.11: no swap")
	require.Positive(t, h.NanoCPUs, "5.12")
	require.True(t, h.ReadonlyRootfs, "5.13")
	require.Equal(t, container.RestartPolicyDisabled, h.RestartPolicy.Name, "5.15")
	require.Empty(t, h.PidMode, "5.16")
	require.Equal(t, container.IPCModePrivate, h.IpcMode, "5.17")
	require.Empty(t, h.Devices, "5.18")
	require.NotEmpty(t, h.Ulimits, "5.19")
	require.Empty(t, h.UTSMode, "5.21")
	require.True(t, slices.ContainsFunc(h.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, `seccomp={"defaultAction":"SCMP_ACT_ERRNO"`) }), "5.22")
	require.Empty(t, h.CgroupParent, "5.25")
	require.Contains(t, h.SecurityOpt, "no-new-privileges", "5.26")
	require.NotNil(t, h.PidsLimit, "5.29")
	require.Positive(t, *h.PidsLimit, "5.29")
	require.Empty(t, h.UsernsMode, "5.31")
	require.Equal(t, "65532:65532", c.Config.User, "4.1")
}
