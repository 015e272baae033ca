package process

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// A bound of ours must not look like the caller's deadline.
func TestKillBoundIsNoDeadline(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	silent, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer silent.Close()
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	client, err := dockerx.New("")
	require.NoError(t, err)
	defer client.Close()
	p := newProcess(client, "c", bounds.Bounds{Stop: 50 * time.Millisecond}, Options{})
	p.out, p.exited = stdio.NewOutput(0, nil, nil), make(chan dockerx.Exit)
	end, _ := p.kill(context.Background())
	require.ErrorContains(t, end.Err, "no exit within 50ms")
	require.NotErrorIs(t, end.Err, context.DeadlineExceeded)
}
