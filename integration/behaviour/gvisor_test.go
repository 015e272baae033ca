//go:build docker && gvisor

package behaviour_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestGVisor(t *testing.T) {
	e := enginetest.NewPrivateEngine(t, enginetest.GVisor)
	image := e.Busybox(t)
	r, err := sandbox.New(sandbox.Options{Host: e.Host, Runtime: "runsc"})
	require.NoError(t, err)
	j := sandbox.Job{
		Image: image, Cmd: []string{"sh", "-c", "cat /proc/version; cat /workspace/in; id -u; echo out >/workspace/out; exit 3"},
		InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input\n"})), Collect: []string{"/workspace/out"},
		Limits: sandbox.Limits{Network: "none", Timeout: time.Minute},
	}
	res, err := r.RunOnce(context.Background(), j)
	require.NoError(t, err)
	require.Equal(t, 3, res.ExitCode)
	require.Contains(t, string(res.Logs), "Sun Jan 10 15:06:54 PST 2016", "gVisor's kernel calls itself so")
	require.Contains(t, string(res.Logs), "input\n65532\n")
	require.Equal(t, "out\n", string(res.Artifacts["/workspace/out"]))

	// A limit that gVisor would not enforce is refused by its name.
	j.InputTar = nil
	j.Limits = sandbox.Limits{Network: "none", CPUs: 1, MemoryMB: 64, PIDs: 16}
	_, err = r.RunOnce(context.Background(), j)
	require.ErrorIs(t, err, sandbox.ErrUnsupported)
	for _, limit := range []string{"Limits.CPUs 1: ", "Limits.MemoryMB 64: ", "Limits.PIDs 16: "} {
		require.ErrorContains(t, err, limit)
	}
	require.NoError(t, r.Close())

	r, err = sandbox.New(sandbox.Options{Host: e.Host, Runtime: "nobody"})
	require.NoError(t, err)
	_, err = r.RunOnce(context.Background(), sandbox.Job{Image: image, Cmd: []string{"true"}, Limits: sandbox.Limits{Network: "none"}})
	require.ErrorIs(t, err, sandbox.ErrUnsupported)
	require.ErrorContains(t, err, `Options.Runtime "nobody": not supported by this engine; it has [`)
	require.NoError(t, r.Close())
	require.Empty(t, e.Left(t))
}
