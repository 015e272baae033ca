package enginetest

import (
	"bytes"
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// WaitRunning is WaitStarted on the engine of the machine, and fails the test if
// there is no start.
func WaitRunning(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	require.NoError(t, WaitStarted(ctx, API, name))
}

// WaitStarted returns when the container of that name has been started, now or
// before, as the engine's events tell.
func WaitStarted(ctx context.Context, engine *client.Client, name string) error {
	messages, errs := engine.Events(ctx, events.ListOptions{Since: "1", Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("container", name), filters.Arg("event", "start"))})
	for {
		select {
		case e := <-messages:
			if e.Action == events.ActionStart && e.Actor.Attributes["name"] == name { // the filter also takes a prefix
				return nil
			}
		case err := <-errs:
			return err
		}
	}
}

// AwaitRelease is the part of a job's script that waits for Release.
const AwaitRelease = "until [ -e /workspace/go ]; do sleep 0.05; done"

// Release puts a file into a container's /workspace, for which its job waits.
func Release(ctx context.Context, engine *client.Client, name string) error {
	body := bytes.NewReader(tarball.Of(tarball.File{Name: "go"}))
	return engine.CopyToContainer(ctx, name, "/workspace", body, container.CopyToContainerOptions{})
}
