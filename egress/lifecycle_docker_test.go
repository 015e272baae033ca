//go:build docker

package egress

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// firstLine is a writer, and what is closed when a line has been written to it.
func firstLine() (io.Writer, <-chan struct{}) {
	seen := make(chan struct{})
	w := &lineWriter{seen: seen}
	return w, seen
}

type lineWriter struct {
	once sync.Once
	seen chan struct{}
}

func (w *lineWriter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("\n")) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

// holdGateway is a task of a child process, which is killed.
func holdGateway() int {
	id, _ := enginetest.ChildRun()
	ctx := context.Background()
	g, err := Open(owner.WithID(ctx, id), Options{Allow: []string{"a.test:443"}, Image: os.Getenv("EGRESS_IMAGE")})
	if err == nil {
		_, err = g.Join(owner.WithID(ctx, os.Getenv("EGRESS_RUN")))
	}
	fmt.Println("joined", err)
	select {}
}

// whole is what a gateway asks of the engine, from Open to Close; joined is called in between.
func whole(ctx context.Context, host string, ids [2]string, joined func()) error {
	g, err := Open(owner.WithID(ctx, ids[0]), Options{Host: host, Allow: []string{"a.test:443"}, Image: proxyImage()})
	if err != nil {
		return err
	}
	defer g.Close()
	a, err := g.Join(owner.WithID(ctx, ids[1]))
	if err != nil {
		return err
	}
	joined()
	if err := a.Close(); err != nil {
		return err
	}
	return g.Close()
}

// requests counts those of a gateway that nothing happens to, up to its first run and in all.
func requests(t *testing.T) (joined, all int) {
	t.Helper()
	p := enginetest.NewProxy(t, enginetest.API, nil)
	ids := [2]string{owner.RandomID(), owner.RandomID()}
	require.NoError(t, whole(context.Background(), p.Host, ids, func() { joined = len(p.Requests()) }))
	require.NotZero(t, joined)
	return joined, len(p.Requests())
}

// atRequest forwards all requests but one, with which act deals.
func atRequest(i int, act func(*enginetest.Exchange)) func(*enginetest.Exchange) {
	var count atomic.Int64
	return func(x *enginetest.Exchange) {
		if count.Add(1)-1 == int64(i) {
			act(x)
		} else {
			x.Forward()
		}
	}
}

// Whatever becomes of a request, nothing is left.
func TestEveryRequestCanFail(t *testing.T) {
	_, n := requests(t)
	kinds := map[string]func(x *enginetest.Exchange){
		"lost":          func(x *enginetest.Exchange) { x.Drop() },
		"answered late": func(x *enginetest.Exchange) { x.Ask(); x.Drop() },
		"refused":       func(x *enginetest.Exchange) { http500(x) },
	}
	quick := bounds.Default()
	quick.Settle, quick.Rest = 300*time.Millisecond, 300*time.Millisecond
	for kind, act := range kinds {
		for i := range n {
			t.Run(fmt.Sprintf("%s/%d", kind, i), func(t *testing.T) {
				t.Parallel()
				p := enginetest.NewProxy(t, enginetest.API, atRequest(i, act))
				ids := [2]string{owner.RandomID(), owner.RandomID()}
				err := whole(bounds.With(context.Background(), quick), p.Host, ids, func() {})
				t.Log(err)
				for _, id := range ids {
					enginetest.AssertNothingLeft(t, id)
				}
			})
		}
	}
}

// A killed process leaves what a Sweep removes, whatever it was asking of the engine.
func TestGatewayKilledAtEveryRequest(t *testing.T) {
	n, _ := requests(t)
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer r.Close()
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			ids := [2]string{owner.RandomID(), owner.RandomID()}
			t.Setenv("EGRESS_RUN", ids[1])
			t.Setenv("EGRESS_IMAGE", proxyImage())
			reached := make(chan struct{})
			p := enginetest.NewProxy(t, enginetest.API, atRequest(i, func(x *enginetest.Exchange) {
				answer := x.Ask()
				close(reached)
				x.PassOn(answer)
			}))
			c := enginetest.StartChildAs(t, ids[0], "hold a gateway", p.Host)
			select {
			case <-reached:
			case <-time.After(20 * time.Second):
				require.FailNow(t, "no such request")
			}
			c.Kill()
			require.Eventually(t, func() bool {
				_, err := r.Sweep(context.Background())
				require.NoError(t, err)
				return len(enginetest.LeftOf(t, ids[0]))+len(enginetest.LeftOf(t, ids[1])) == 0
			}, 30*time.Second, 100*time.Millisecond)
		})
	}
}

// The proxy ends by itself with the process that opened the gateway.
func TestProxyEndsWithItsOwner(t *testing.T) {
	ids := [2]string{owner.RandomID(), owner.RandomID()}
	t.Setenv("EGRESS_RUN", ids[1])
	t.Setenv("EGRESS_IMAGE", proxyImage())
	c := enginetest.StartChildAs(t, ids[0], "hold a gateway", enginetest.Host())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	enginetest.WaitRunning(t, ctx, owner.EgressName(ids[1]))
	c.Kill()
	require.Eventually(t, func() bool {
		left := strings.Join(append(enginetest.LeftOf(t, ids[0]), enginetest.LeftOf(t, ids[1])...), " ")
		return !strings.Contains(left, "container")
	}, 20*time.Second, 50*time.Millisecond, "no container is left")
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.Sweep(context.Background())
	require.NoError(t, err)
	enginetest.AssertNothingLeft(t, ids[0])
}

// Joins that a Close overtakes leave nothing.
func TestCloseBesideJoins(t *testing.T) {
	g, _ := open(t, context.Background(), "a.test:443")
	var all sync.WaitGroup
	joined := make(chan struct{}, 100)
	ids := make([]string, 8)
	for i := range ids {
		ids[i] = owner.RandomID()
		all.Go(func() {
			a, err := g.Join(owner.WithID(context.Background(), ids[i]))
			if err != nil {
				require.ErrorIs(t, err, ErrClosed)
				return
			}
			joined <- struct{}{}
			a.Close()
		})
	}
	<-joined
	require.NoError(t, g.Close())
	all.Wait()
	for _, id := range ids {
		enginetest.AssertNothingLeft(t, id)
	}
}

// A gateway that is full says so, and has room again when a run has left.
func TestFull(t *testing.T) {
	g, _ := open(t, context.Background(), "a.test:443")
	a := join(t, g)
	for g.reserve() {
	}
	_, err := g.Join(context.Background())
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, a.Close())
	join(t, g)
}

// Whoever closes at the same time as another one returns when the end is reached.
func TestClosesAtOnce(t *testing.T) {
	g, id := open(t, context.Background(), "a.test:443")
	run := owner.RandomID()
	a, err := g.Join(owner.WithID(context.Background(), run))
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			if i%2 == 0 {
				assert.NoError(t, g.Close())
			} else {
				assert.NoError(t, a.Close())
			}
			assert.Empty(t, enginetest.LeftOf(t, run))
			_, _, err := a.Denied(context.Background())
			assert.NoError(t, err)
		})
	}
	all.Wait()
	enginetest.AssertNothingLeft(t, id)
}

// A proxy that does not answer any more does not keep anything from being removed.
func TestProxyThatHangs(t *testing.T) {
	ids := [2]string{owner.RandomID(), owner.RandomID()}
	g, err := Open(owner.WithID(context.Background(), ids[0]), Options{Allow: []string{"a.test:443"}, Image: proxyImage()})
	require.NoError(t, err)
	a, err := g.Join(owner.WithID(context.Background(), ids[1]))
	require.NoError(t, err)
	require.NoError(t, enginetest.API.ContainerPause(context.Background(), owner.EgressName(ids[0])))
	start := time.Now()
	require.NoError(t, a.Close())
	_, _, err = a.Denied(context.Background())
	require.ErrorContains(t, err, "no answer within 3s", "it is not known, rather than nothing")
	require.NoError(t, g.Close())
	require.Less(t, time.Since(start), 20*time.Second)
	for _, id := range ids {
		enginetest.AssertNothingLeft(t, id)
	}
}

// A proxy that is gone is an error, and the runs that have it reach nothing.
func TestProxyThatIsRemoved(t *testing.T) {
	good := server(t)
	g, id := open(t, context.Background(), good)
	a := join(t, g)
	require.NoError(t, enginetest.API.ContainerRemove(context.Background(), owner.EgressName(id), container.RemoveOptions{Force: true}))
	_, err := g.Join(context.Background())
	require.ErrorContains(t, err, "the proxy has ended")
	require.Eventually(t, func() bool {
		_, err := sandbox.RunOnce(context.Background(), shell(a, "wget -q -O - http://"+good+"/"))
		return err != nil && strings.Contains(err.Error(), "join the gateway again")
	}, 20*time.Second, 50*time.Millisecond, "the namespace has gone with it")
}

func http500(x *enginetest.Exchange) {
	answer := x.Ask()
	answer.StatusCode, answer.Status = 500, "500 Internal Server Error"
	answer.Body = io.NopCloser(strings.NewReader(`{"message":"as ordered"}`))
	answer.ContentLength = -1
	answer.Header.Del("Content-Length")
	x.PassOn(answer)
}
