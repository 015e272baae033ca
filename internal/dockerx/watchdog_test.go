package dockerx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// after is a reader whose every Read takes as long.
func after(d time.Duration) io.Reader {
	return readerFunc(func(p []byte) (int, error) { <-time.After(d); return len(p), nil })
}

// Only the engine's time counts: that of a Read from it, and that between two
// Reads of what it is sent.
func TestWatchdogClock(t *testing.T) {
	for name, c := range map[string]struct {
		wrap          func(*watchdog, io.Reader) io.Reader
		read, between time.Duration
		bites         bool
	}{
		"engine sends":            {(*watchdog).reader, 59 * time.Second, 0, false},
		"caller takes its time":   {(*watchdog).reader, 0, time.Hour, false},
		"engine sends nothing":    {(*watchdog).reader, 61 * time.Second, 0, true},
		"engine takes":            {(*watchdog).source, 0, 59 * time.Second, false},
		"caller's reader is slow": {(*watchdog).source, time.Hour, 0, false},
		"engine takes nothing":    {(*watchdog).source, 0, 61 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, dog := watch(bounds.With(t.Context(), bounds.Bounds{Stall: time.Minute}), "transfer")
				defer dog.stop()
				r := c.wrap(dog, after(c.read))
				for range 5 {
					_, err := r.Read(make([]byte, 1))
					require.NoError(t, err)
					<-time.After(c.between)
				}
				require.Equal(t, c.bites, ctx.Err() != nil)
				if c.bites {
					require.EqualError(t, context.Cause(ctx), "transfer: no progress from the engine for 1m0s")
				}
			})
		})
	}
}

// The engine owes its first answer.
func TestWatchdogRunsFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, dog := watch(bounds.With(t.Context(), bounds.Bounds{Stall: time.Minute}), "transfer")
		defer dog.stop()
		start := time.Now()
		<-ctx.Done()
		require.Equal(t, time.Minute, time.Since(start))
	})
}

// A transfer may take as long as it likes while it goes on, and an upload while
// the caller reads.
func TestSlowIsNotSilent(t *testing.T) {
	const stall, pause, total = time.Second, 100 * time.Millisecond, 1200 * time.Millisecond
	slowly := func(w http.ResponseWriter, _ *http.Request) {
		for range total / pause {
			<-time.After(pause)
			io.WriteString(w, goodPull)
			w.(http.Flusher).Flush()
		}
	}
	var uploaded []byte
	engine := fakeEngine(t, routes{
		"GET /images/a/json":  inTurn(notFound, present).serve,
		"POST /images/create": slowly,
		downloadRoute:         withStat(0, 1, slowly),
		uploadRoute: func(_ http.ResponseWriter, r *http.Request) {
			uploaded, _ = io.ReadAll(r.Body) // what is missing shows in the comparison
		},
	})
	atOnce(t, map[string]call{
		"upload": func(ctx context.Context, c *Client) error {
			return c.Upload(ctx, "c", "/", io.NopCloser(io.LimitReader(after(total), 1)))
		},
		"download": func(ctx context.Context, c *Client) error {
			body, err := c.Download(ctx, "c", "/a b/c")
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, body)
			return errors.Join(err, body.Close())
		},
		"pull": func(ctx context.Context, c *Client) error {
			_, err := c.EnsureImage(ctx, Want{Ref: "a"}, amd64Engine)
			return err
		},
	}, bounds.With(ample, bounds.Bounds{Call: time.Minute, Stall: stall}), engine, func(t *testing.T, err error) { require.NoError(t, err) })
	require.Len(t, uploaded, 1)
}
