//go:build docker && gvisor

package sandbox

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// gvisor is an engine that has gVisor's runtime. Where machines are nested or have
// hybrid cgroups it runs without cgroups, and so without limits. The
// seccomp profile is for its own kernel, too, with --oci-seccomp alone.
var gvisor = engineSetup{config: `{"runtimes": {"runsc": {"path": "runsc",
	"runtimeArgs": ["--platform=ptrace", "--ignore-cgroups", "--network=none", "--oci-seccomp"]}}}`}

func TestGVisor(t *testing.T) {
	e := newPrivateEngine(t, gvisor)
	image := e.busybox(t)
	r, err := New(Options{Host: e.host, Runtime: "runsc"})
	require.NoError(t, err)
	j := Job{
		Image: image, Cmd: []string{"sh", "-c", "cat /proc/version; cat /workspace/in; id -u; echo out >/workspace/out; exit 3"},
		InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input\n"})), Collect: []string{"/workspace/out"},
		Limits: Limits{Network: "none", Timeout: time.Minute},
	}
	res, err := r.RunOnce(context.Background(), j)
	require.NoError(t, err)
	require.Equal(t, 3, res.ExitCode)
	require.Contains(t, string(res.Logs), "Sun Jan 10 15:06:54 PST 2016", "gVisor's kernel calls itself so")
	require.Contains(t, string(res.Logs), "input\n65532\n")
	require.Equal(t, "out\n", string(res.Artifacts["/workspace/out"]))

	// What it would not enforce is refused, each limit by its name.
	j.InputTar = nil
	j.Limits = Limits{Network: "none", CPUs: 1, MemoryMB: 64, PIDs: 16}
	_, err = r.RunOnce(context.Background(), j)
	require.ErrorIs(t, err, ErrUnsupported)
	for _, limit := range []string{"Limits.CPUs 1: ", "Limits.MemoryMB 64: ", "Limits.PIDs 16: "} {
		require.ErrorContains(t, err, limit)
	}
	require.NoError(t, r.Close())

	r, err = New(Options{Host: e.host, Runtime: "nobody"})
	require.NoError(t, err)
	_, err = r.RunOnce(context.Background(), Job{Image: image, Cmd: []string{"true"}, Limits: Limits{Network: "none"}})
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, `Options.Runtime "nobody": not supported by this engine; it has [`)
	require.NoError(t, r.Close())
	require.Empty(t, e.left(t))
}

// NewGVisorEngine starts one for the tests in sandbox_test, and returns its host.
func NewGVisorEngine(t *testing.T) string { return newPrivateEngine(t, gvisor).host }
