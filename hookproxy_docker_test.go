//go:build docker

package sandbox

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
)

// hookProxy stands between the library and an engine and calls its hooks, which
// may take their time.
type hookProxy struct {
	dial func(context.Context) (net.Conn, error) // to the engine
	// before is called with each request before it is forwarded.
	before func(request string)
	// edit changes a request before it is forwarded.
	edit func(*http.Request)
	// answer changes an answer before it is passed on.
	answer func(*http.Response)
	// arrived is called with each piece of an answer before it is passed on.
	arrived func(request string)

	host string // for Options.Host

	mu    sync.Mutex
	conns []net.Conn
}

// serve starts the proxy. It stops at the test's end.
func (p *hookProxy) serve(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hook") // a socket's path must be short
	require.NoError(t, err)
	socket := filepath.Join(dir, "engine.sock")
	p.host = "unix://" + socket
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		Transport:     &http.Transport{DialContext: p.connect, DisableKeepAlives: true},
		ErrorLog:      log.New(io.Discard, "", 0),
		FlushInterval: -1, // a wait's header must arrive before its body
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			if p.answer != nil {
				p.answer(r)
			}
			if p.arrived != nil && r.StatusCode != http.StatusSwitchingProtocols {
				r.Body = &hookedBody{r.Body, func() { p.arrived(requestText(r.Request)) }}
			}
			return nil
		},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.before != nil {
			p.before(requestText(r))
		}
		if p.edit != nil {
			p.edit(r)
		}
		forward.ServeHTTP(w, r)
	})}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	t.Cleanup(func() { server.Close(); <-served; p.hangUp(); os.RemoveAll(dir) })
}

func (p *hookProxy) connect(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := p.dial(ctx)
	if err == nil {
		p.mu.Lock()
		p.conns = append(p.conns, conn)
		p.mu.Unlock()
	}
	return conn, err
}

// hangUp closes what is open to the engine: an attach to a container that never
// started has no end of its own.
func (p *hookProxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
}

// requestText is a request with the names of a run's objects cut down to "job",
// "job-stage" and "job-0", such as "POST /containers/create job".
func requestText(r *http.Request) string {
	text := r.Method + " " + apiVersion.ReplaceAllString(r.URL.Path, "/")
	if name := r.URL.Query().Get("name"); name != "" {
		text += " " + name
	}
	return strings.TrimSpace(nameOfRun.ReplaceAllString(text, "job"))
}

var (
	apiVersion = regexp.MustCompile(`^/v1\.\d+/`)
	nameOfRun  = regexp.MustCompile(owner.NamePrefix + `[0-9a-f]{32}`)
)

type hookedBody struct {
	io.ReadCloser
	arrived func()
}

func (b *hookedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.arrived()
	}
	return n, err
}
