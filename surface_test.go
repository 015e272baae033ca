package sandbox

import (
	"context"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/isolation"
)

// The documented part, written down once more: fields may be added behind it,
// and nothing of it may change.
func TestDocumentedTypes(t *testing.T) {
	type job struct {
		Image    string
		Cmd      []string
		Env      map[string]string
		WorkDir  string
		Mounts   []Mount
		InputTar io.Reader
		InputDir string
		Collect  []string
		Limits   Limits
	}
	type limits struct {
		CPUs     float64
		MemoryMB int64
		PIDs     int64
		Timeout  time.Duration
		Network  string
	}
	type mount struct {
		Source   string
		Target   string
		ReadOnly bool
	}
	type result struct {
		ExitCode  int
		Logs      []byte
		Artifacts map[string][]byte
		TimedOut  bool
	}
	type preset struct {
		NanoCPUs, MemoryBytes, PidsLimit int64

		NetworkMode string
		Tmpfs       map[string]string
		AutoRemove  bool
	}
	for _, c := range []struct{ is, documented any }{
		{Job{}, job{}}, {Limits{}, limits{}}, {Mount{}, mount{}}, {Result{}, result{}}, {isolation.Preset{}, preset{}},
	} {
		is, documented := reflect.TypeOf(c.is), reflect.TypeOf(c.documented)
		for i := range documented.NumField() {
			want, got := documented.Field(i), is.Field(i)
			require.Equal(t, want.Name, got.Name, "%s: a documented field was renamed, moved or removed", is)
			require.Equal(t, want.Type, got.Type, "%s.%s: a documented field has another type", is, got.Name)
		}
	}
}

// These do not compile, or are not equal, if a documented declaration changes.
func TestDocumentedDeclarations(t *testing.T) {
	var (
		_ func(context.Context, Job) (Result, error)      = RunOnce
		_ func(isolation.Preset) *container.HostConfig    = isolation.Preset.HostConfig
		_ interface{ HostConfig() *container.HostConfig } = isolation.Preset{}
	)
	const inputDir, network, user string = DefaultInputDir, DefaultNetwork, isolation.NonRootUser
	require.Equal(t, "/workspace", inputDir)
	require.Equal(t, "bridge", network)
	require.Equal(t, "65532:65532", user)
}

// A zero value is what the documentation says, or no limit.
func TestZeroValues(t *testing.T) {
	p, err := newPlan(Job{Image: "busybox", Cmd: []string{"true"}}, "")
	require.NoError(t, err)
	require.Equal(t, "/workspace", p.inputDir)
	require.Zero(t, p.limits.Timeout)
	host := p.preset(nil, nil, dockerx.Engine{CPUs: 2}, "").HostConfig()
	require.Equal(t, "bridge", string(host.NetworkMode))
	require.Zero(t, host.NanoCPUs)
	require.Zero(t, host.Memory)
	require.Nil(t, host.PidsLimit)
	require.Empty(t, host.Mounts)
}
