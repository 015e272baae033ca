//go:build docker

package sandbox

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// gate stands between a process and the engine.
type gate struct {
	host string                    // for DOCKER_HOST
	at   func(request string) fate // is asked about every request, such as "GET /info"

	mu          sync.Mutex
	connections int // how many there have been
}

// fate is what becomes of a request; the zero value does nothing to it.
type fate struct {
	lost bool // it does not reach the engine
	// If set, answered is called when the engine has answered, and the answer is
	// lost. Its context ends when the client has hung up.
	answered func(context.Context)
}

func newGate(t testing.TB, at func(request string) fate) *gate {
	t.Helper()
	// The path of a socket has to be short.
	dir, err := os.MkdirTemp("", "gate")
	require.NoError(t, err)
	socket := filepath.Join(dir, "engine.sock")
	g := &gate{host: "unix://" + socket, at: at}
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return api.Dialer()(ctx) }}
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.forward(transport, w, r) }),
		ConnState: g.count,
	}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	t.Cleanup(func() { server.Close(); <-served; transport.CloseIdleConnections(); os.RemoveAll(dir) })
	return g
}

func (g *gate) count(_ net.Conn, s http.ConnState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s == http.StateNew {
		g.connections++
	}
}

var errAnswerLost = errors.New("answer lost")

func (g *gate) forward(transport http.RoundTripper, w http.ResponseWriter, r *http.Request) {
	request := r.Method + " " + versionless(r.URL.Path)
	f := g.at(request)
	if f.lost {
		panic(http.ErrAbortHandler)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport:     transport,
		FlushInterval: -1, // a wait's header must arrive before its body
		ModifyResponse: func(answer *http.Response) error {
			if f.answered == nil {
				return nil
			}
			// The answers of these two are streams without an end yet.
			if !strings.HasSuffix(request, "/wait") && !strings.HasSuffix(request, "/attach") {
				io.Copy(io.Discard, answer.Body)
			}
			f.answered(r.Context())
			return errAnswerLost
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	proxy.ServeHTTP(w, r)
}

// versionless is a path without the API's version.
func versionless(path string) string {
	if strings.HasPrefix(path, "/v1.") {
		return path[1+strings.Index(path[1:], "/"):]
	}
	return path
}
