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
	"github.com/synchestra-io/sandbox/internal/ending"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// A bound of ours must not look like the caller's deadline.
func TestKillBoundIsNoDeadline(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	silent, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer silent.Close()
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	client, err := dockerx.New(dockerx.Address{})
	require.NoError(t, err)
	defer client.Close()
	b := bounds.Default()
	b.Ending = 75 * time.Millisecond
	ctx := bounds.With(context.Background(), b)
	e := ending.New(ctx)
	defer e.Close()
	p := newProcess(client, "c", bounds.From(ctx), Options{Ending: e})
	p.out, p.exited = stdio.NewOutput(0, nil, nil), make(chan dockerx.Exit)
	exit, _ := p.kill()
	require.ErrorContains(t, exit.Err, "no exit after the kill request: the run's ending took longer than ")
	require.NotErrorIs(t, exit.Err, context.DeadlineExceeded)
}
