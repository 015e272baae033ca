//go:build docker

package faults_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// A limit or a protection that the engine would accept but not enforce is refused
// before the engine is asked for it.
func TestEngineWithoutDefences(t *testing.T) {
	t.Parallel()
	j := runtest.Shell("echo ran")
	j.Limits.CPUs, j.Limits.MemoryMB, j.Limits.PIDs = 0.5, 64, 16
	for name, c := range map[string]struct {
		info map[string]any
		want string
	}{
		"no seccomp":   {map[string]any{"SecurityOptions": []string{"name=apparmor"}}, "has no seccomp"},
		"no CPU quota": {map[string]any{"CpuCfsQuota": false}, "Limits.CPUs 0.5: not supported by this engine"},
		"no memory":    {map[string]any{"MemoryLimit": false}, "Limits.MemoryMB 64: not supported by this engine"},
		"no PIDs":      {map[string]any{"PidsLimit": false}, "Limits.PIDs 16: not supported by this engine"},
		"no cgroups":   {map[string]any{"CgroupDriver": "none"}, "Limits.PIDs 16: not supported by this engine"},
		"unconfined": {map[string]any{"SecurityOptions": []string{"name=seccomp,profile=unconfined"}},
			"runs containers without seccomp"},
		"Windows": {map[string]any{"OSType": "windows"}, "Linux containers are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := enginetest.NewProxy(t, enginetest.API, editInfo(c.info))
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			known, err := describe(p.Host)
			if err == nil && known.KnowsBuiltin && known.Seccomp == "unconfined" {
				// There the built-in profile is asked for, and the job is confined.
				j.Cmd[2] = "grep Seccomp: /proc/self/status"
				require.Contains(t, runtest.Output(t, j), "2")
				return
			}
			_, err = r.RunOnce(context.Background(), j)
			require.NoError(t, r.Close())
			require.ErrorIs(t, err, sandbox.ErrUnsupported)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// describe returns the engine's description of itself.
func describe(host string) (dockerx.Engine, error) {
	c, err := dockerx.New(dockerx.Address{Host: host})
	if err != nil {
		return dockerx.Engine{}, err
	}
	defer c.Close()
	return c.Connect(context.Background())
}

// editInfo changes fields of the engine's description of itself.
func editInfo(fields map[string]any) func(*enginetest.Exchange) {
	return func(x *enginetest.Exchange) {
		answer := x.Ask()
		if x.Text == "GET /info" {
			text := edited(answer.Body, func(info map[string]any) { maps.Copy(info, fields) })
			answer.Body = io.NopCloser(bytes.NewReader(text))
			answer.Header.Set("Content-Length", strconv.Itoa(len(text)))
		}
		x.PassOn(answer)
	}
}

// assertNeverStarted looks for a start among the engine's events.
func assertNeverStarted(t *testing.T, name string, since time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	started, errs := enginetest.API.Events(ctx, events.ListOptions{
		Since: strconv.FormatInt(since.Add(-time.Minute).Unix(), 10), Until: strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10),
		Filters: filters.NewArgs(filters.Arg("container", name), filters.Arg("event", "start")),
	})
	select {
	case e := <-started:
		require.Failf(t, "started", "%v", e)
	case err := <-errs:
		require.ErrorIs(t, err, io.EOF)
	}
}
