package dockerx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/leaktest"
)

type call = func(context.Context, *Client) error

// calls are all that can be asked of an engine about one object, once.
var calls = map[string]call{
	"Connect": func(ctx context.Context, c *Client) error { _, err := c.Connect(ctx); return err },
	"EnsureImage": func(ctx context.Context, c *Client) error {
		_, err := c.EnsureImage(ctx, Want{Ref: "a"}, Engine{})
		return err
	},
	"CheckNetwork":   func(ctx context.Context, c *Client) error { _, err := c.CheckNetwork(ctx, "n"); return err },
	"CheckNamespace": func(ctx context.Context, c *Client) error { _, err := c.CheckNamespace(ctx, "c", nil); return err },
	"Start":          func(ctx context.Context, c *Client) error { return c.Start(ctx, "c", nil) },
	"Kill":           func(ctx context.Context, c *Client) error { _, err := c.Kill(ctx, "c"); return err },
	"Inspect":        func(ctx context.Context, c *Client) error { _, err := c.Inspect(ctx, "c"); return err },
	"Attach":         func(ctx context.Context, c *Client) error { _, err := c.Attach(ctx, "c", false); return err },
	"Wait":           func(ctx context.Context, c *Client) error { _, err := c.Wait(ctx, "c"); return err },
	"Stat":           func(ctx context.Context, c *Client) error { _, err := c.Stat(ctx, "c", "/p"); return err },
	"Download":       func(ctx context.Context, c *Client) error { _, err := c.Download(ctx, "c", "/p"); return err },
	"Upload": func(ctx context.Context, c *Client) error {
		return c.Upload(ctx, "c", "/", io.NopCloser(strings.NewReader("tar")))
	},
}

// creates go on for a while for a caller that has gone.
var creates = map[string]call{
	"Create": func(ctx context.Context, c *Client) error {
		return c.Create(ctx, "c", &container.Config{}, &container.HostConfig{}, "")
	},
	"CreateVolume": func(ctx context.Context, c *Client) error { _, err := c.CreateVolume(ctx, "v", nil, nil); return err },
}

// silentEngine tells of every request that it does not answer.
func silentEngine(t *testing.T) (*Client, <-chan struct{}) {
	t.Helper()
	leaktest.Check(t)
	asked := make(chan struct{}, 64)
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		silent(w, r)
	}))
	return clientOf(t, "tcp://"+server.Listener.Addr().String(), pinned), asked
}

// atOnce makes all calls of a table at the same time and checks their errors.
func atOnce(t *testing.T, table map[string]call, ctx context.Context, c *Client, check func(*testing.T, error)) {
	t.Helper()
	errs := map[string]chan error{}
	for name, f := range table {
		err := make(chan error, 1)
		errs[name] = err
		go func() { err <- f(ctx, c) }()
	}
	for name, err := range errs {
		t.Run(name, func(t *testing.T) { inTime(t, func() { check(t, <-err) }) })
	}
}

// A bound of ours must not look like the caller's deadline.
func TestEveryCallIsBounded(t *testing.T) {
	engine, _ := silentEngine(t)
	for _, table := range []map[string]call{calls, creates} {
		atOnce(t, table, brief, engine, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "from the engine")
			require.ErrorContains(t, err, briefly.String())
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, context.Canceled)
			require.False(t, OutcomeKnown(err))
		})
	}
}

func TestEveryCallEndsWithItsContext(t *testing.T) {
	engine, asked := silentEngine(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for range calls {
			<-asked
		}
		cancel()
	}()
	atOnce(t, calls, ctx, engine, func(t *testing.T, err error) { require.ErrorIs(t, err, context.Canceled) })

	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	atOnce(t, calls, ctx, engine, func(t *testing.T, err error) { require.ErrorIs(t, err, context.DeadlineExceeded) })
}

// The reason that the caller gave for its cancel is passed on.
func TestEveryCallPassesTheCauseOn(t *testing.T) {
	engine, _ := silentEngine(t)
	reason := errors.New("the caller's reason")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	atOnce(t, calls, ctx, engine, func(t *testing.T, err error) { require.ErrorIs(t, err, reason) })
}

// A create that was given up can still succeed, so it is not given up at once.
func TestCreatesOutliveTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	good := inTurn(answer{201, `{"Id":"1","Name":"v"}`})
	engine := fakeEngine(t, routes{"POST /containers/create": good.serve, "POST /volumes/create": good.serve})
	for name, create := range creates {
		require.NoError(t, create(ctx, engine), name)
	}
	require.Equal(t, 2, good.count())
}

// One that is not answered is given up soon after the end of its context, and what
// became of it is not known.
func TestCreatesEndSoonAfterTheirContext(t *testing.T) {
	engine, asked := silentEngine(t)
	ctx, cancel := context.WithCancel(bounds.With(ample, bounds.Bounds{Slow: time.Minute, Rest: briefly}))
	go func() {
		for range creates {
			<-asked
		}
		cancel()
	}()
	atOnce(t, creates, ctx, engine, func(t *testing.T, err error) {
		require.EqualError(t, err, "no answer from the engine within 100ms of the end of the context")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, OutcomeKnown(err))
	})
}
