package dockerx

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/leaktest"
)

// otherEngine is an engine that can become another one: it has other API versions then,
// and another clock. It knows no version but its own, as the newest and the oldest.
type otherEngine struct {
	version atomic.Value // of the API
	ahead   atomic.Int64 // of its clock, in hours
	dated   atomic.Bool  // its answers go by that clock, too
}

func (e *otherEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, now := e.version.Load().(string), time.Now().Add(time.Duration(e.ahead.Load())*time.Hour)
	if e.dated.Load() {
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	}
	w.Header().Set("Api-Version", version)
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/_ping":
	case "/v" + version + "/info":
		fmt.Fprintf(w, `{"OSType":"linux","ServerVersion":"25.0.3","SystemTime":%q}`, now.Format(time.RFC3339Nano))
	case "/v" + version + "/containers/c/json":
		fmt.Fprint(w, `{"Id":"c","State":{"Status":"created"}}`)
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"message":"version %s is needed, not that of %s"}`, version, path.Dir(r.URL.Path))
	}
}

// requireClock fails the test unless the client reckons with the engine's clock.
func requireClock(t *testing.T, ahead time.Duration, got time.Time) {
	t.Helper()
	require.WithinDuration(t, time.Now().Add(ahead), got, 30*time.Second)
}

// An engine is asked again when there was no connection to it for a moment: it may have
// been stopped, and be another one. While there is one, it is not.
func TestAnEngineThatBecomesAnother(t *testing.T) {
	leaktest.Check(t)
	e := &otherEngine{}
	e.version.Store("1.41")
	server := serve(t, e)
	c := clientOf(t, "tcp://"+server.Listener.Addr().String())
	require.False(t, c.Connected())
	for i, version := range []string{"1.41", "1.48", "1.42", "1.45"} {
		e.version.Store(version)
		e.ahead.Store(int64(i))
		server.CloseClientConnections()
		require.Eventually(t, func() bool { return !c.Connected() }, 5*time.Second, time.Millisecond)
		engine, err := c.Connect(ample)
		require.NoError(t, err)
		requireClock(t, time.Duration(i)*time.Hour, c.Time(engine, time.Now()))
		require.Equal(t, version >= builtinAPI, engine.KnowsBuiltin)
		for range 3 {
			require.True(t, c.Connected())
			state, err := c.Inspect(ample, "c")
			require.NoError(t, err)
			require.True(t, state.Created)
		}
	}
	c.Close() // as an idle connection is, after a while: nobody knows what happens then
	require.False(t, c.Connected())
}

// What a call was told before the connection was lost does not count.
func TestAConnectionThatIsLostWhileItAsks(t *testing.T) {
	leaktest.Check(t)
	e := &otherEngine{}
	e.version.Store("1.41")
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		e.ServeHTTP(w, r)
	}))
	c := clientOf(t, "tcp://"+server.Listener.Addr().String())
	for range 3 {
		_, err := c.Connect(ample)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return !c.Connected() }, 5*time.Second, time.Millisecond)
	}
}

// A failed attempt leaves no half of a new engine behind.
func TestReconnectFails(t *testing.T) {
	leaktest.Check(t)
	e := &otherEngine{}
	e.version.Store("1.41")
	server := serve(t, e)
	c := clientOf(t, "tcp://"+server.Listener.Addr().String())
	_, err := c.Connect(ample)
	require.NoError(t, err)
	e.version.Store("1.40")
	server.CloseClientConnections()
	for range 2 {
		_, err = c.Connect(ample)
		require.ErrorIs(t, err, ErrUnsupported)
		require.False(t, c.Connected())
	}
	e.version.Store("1.41")
	_, err = c.Inspect(ample, "c")
	require.NoError(t, err)
	_, err = c.Connect(ample)
	require.NoError(t, err)
	require.True(t, c.Connected())
}

// A clock is set while the connection lasts. Put forward, it counts at once.
func TestAClockThatIsSet(t *testing.T) {
	leaktest.Check(t)
	e := &otherEngine{}
	e.version.Store("1.41")
	e.dated.Store(true)
	c := clientOf(t, "tcp://"+serve(t, e).Listener.Addr().String())
	ask := func() Engine {
		engine, err := c.Connect(ample)
		require.NoError(t, err)
		requireClock(t, time.Duration(e.ahead.Load())*time.Hour, c.Time(engine, time.Now()))
		require.True(t, c.Connected())
		return engine
	}
	set := func(ahead int64) {
		e.ahead.Store(ahead)
		_, err := c.Inspect(ample, "c")
		require.NoError(t, err)
		require.False(t, c.Connected())
	}
	before := ask()
	set(2)
	requireClock(t, 2*time.Hour, c.Time(before, time.Now()))
	before = ask()
	set(-2)
	requireClock(t, 2*time.Hour, c.Time(before, time.Now())) // what expires too late does less harm
	ask()
}

// The connection of a command's output is not counted: its end is the command's.
func TestAnAttachmentTellsNothing(t *testing.T) {
	ended := make(chan struct{})
	c := fakeEngine(t, routes{
		"GET /info": inTurn(answer{200, linuxInfo}).serve,
		attachRoute: hijacked(t, "", func(conn net.Conn) { io.Copy(io.Discard, conn); close(ended) }),
	})
	_, err := c.Connect(ample)
	require.NoError(t, err)
	a, err := c.Attach(ample, "c", false)
	require.NoError(t, err)
	require.True(t, c.Connected())
	c.Close() // the idle connections
	require.False(t, c.Connected())
	_, err = c.Connect(ample)
	require.NoError(t, err)
	a.Close()
	<-ended
	require.True(t, c.Connected())
}
