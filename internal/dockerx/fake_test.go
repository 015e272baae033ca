package dockerx

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/leaktest"
)

// With ample bounds a call never reaches them; brief ones are what a test waits for.
var (
	ample = context.Background()
	brief = bounds.With(ample, bounds.Bounds{Call: briefly, Slow: briefly, Stall: briefly})
)

const briefly = 100 * time.Millisecond

// inTime fails the test if f goes on long after every bound.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		require.FailNow(t, "a bound was not kept")
	}
}

// clientOf makes a client as a run does, of nothing but DOCKER_HOST and what
// else is in env.
func clientOf(t *testing.T, host string, env ...string) *Client {
	t.Helper()
	for _, name := range []string{"DOCKER_API_VERSION", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"} {
		t.Setenv(name, "")
	}
	t.Setenv("DOCKER_HOST", host)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	c, err := New(Address{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// pinned keeps a client from asking for the engine's API version.
const pinned = "DOCKER_API_VERSION=1.41"

// routes are handlers by method and path, such as "GET /containers/c/json".
type routes map[string]http.HandlerFunc

// fakeEngine is an engine of API 1.41 that answers what the test says, and
// nothing else.
func fakeEngine(t *testing.T, r routes) *Client {
	t.Helper()
	leaktest.Check(t)
	return clientOf(t, "tcp://"+serve(t, handler(t, r)).Listener.Addr().String())
}

func handler(t *testing.T, r routes) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", ping("1.41"))
	for pattern, h := range r {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /v1.41"+path, h)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected request: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotImplemented)
	})
	return mux
}

// serve starts a server. A request's context ends with the test at the latest,
// so that a handler may wait for it.
func serve(t *testing.T, h http.Handler, listener ...net.Listener) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	if len(listener) > 0 {
		server.Listener.Close()
		server.Listener = listener[0]
	}
	ctx := t.Context()
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what some tests want
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func ping(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", version) }
}

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// answer is one answer of the engine; a status of 0 is none at all.
type answer struct {
	status int
	body   string
}

func refused(status int, message string) answer {
	text, _ := json.Marshal(map[string]string{"message": message}) // a map of strings always encodes
	return answer{status, string(text)}
}

var notFound = refused(http.StatusNotFound, "no such thing")

// script answers in turn, and again and again with the last. It counts.
type script struct {
	mu      sync.Mutex
	answers []answer
	asked   int
}

func inTurn(answers ...answer) *script { return &script{answers: answers} }

func (s *script) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	a := s.answers[min(s.asked, len(s.answers)-1)]
	s.asked++
	s.mu.Unlock()
	if a.status == 0 {
		silent(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// listen returns a listener on loopback or on a unix socket, and its address
// for DOCKER_HOST.
func listen(t *testing.T, network string) (net.Listener, string) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "engine.sock")
	}
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, network + "://" + l.Addr().String()
}

// mute is an engine that accepts connections, reads from them, and never says a
// word.
type muteEngine struct {
	accepted, closed chan struct{} // one value for each connection
}

func mute(l net.Listener) muteEngine {
	m := muteEngine{make(chan struct{}, 16), make(chan struct{}, 16)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.accepted <- struct{}{}
			go func() {
				io.Copy(io.Discard, conn)
				conn.Close()
				m.closed <- struct{}{}
			}()
		}
	}()
	return m
}
