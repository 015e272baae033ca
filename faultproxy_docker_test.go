//go:build docker

package sandbox

import (
	"context"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// faultProxy stands between the library and the real engine, records requests,
// and does something to one of them.
type faultProxy struct {
	host   string             // for Options.Host
	at     int                // index of the request with the fault, -1 = none
	fault  fault              // what happens to it
	up     int64              // length of its body
	output int64              // bytes of output in the whole run
	cancel context.CancelFunc // ends the caller's context

	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	released  chan struct{} // ends what is held
	release   func()

	mu        sync.Mutex
	exchanges []*exchange
	fired     bool
	clients   map[net.Conn]bool // open connections from the library
}

// exchange is a request and its answer, as a clean run shows them.
type exchange struct {
	request  string // method and path, without what differs from run to run
	up, down int64  // lengths of the bodies
}

func newFaultProxy(t testing.TB, at int, f fault) *faultProxy {
	t.Helper()
	p := &faultProxy{at: at, fault: f}
	p.serve(t)
	return p
}

// serve answers until the test ends.
func (p *faultProxy) serve(t testing.TB) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	p.host = "unix://" + socket
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	p.listener, p.clients, p.released = listener, map[net.Conn]bool{}, make(chan struct{})
	p.release = sync.OnceFunc(func() { close(p.released) })
	p.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return api.Dialer()(ctx) },
	}
	p.server = &http.Server{Handler: p}
	served := make(chan struct{})
	go func() { p.server.Serve(watchedListener{listener, p}); close(served) }()
	t.Cleanup(func() {
		p.release()
		p.vanish()
		<-served
		p.transport.CloseIdleConnections()
	})
}

// vanish is the engine's end: nobody listens, and every connection is closed.
func (p *faultProxy) vanish() {
	p.server.Close()
	p.mu.Lock()
	open := maps.Clone(p.clients) // those that were taken over are not the server's any more
	p.mu.Unlock()
	for conn := range open {
		conn.Close()
	}
}

func (p *faultProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, f := p.arrive(r)
	if !p.intercept(w, r, f) {
		p.forward(w, r, x, f)
	}
}

// arrive records a request and returns its fault, "" = none.
func (p *faultProxy) arrive(r *http.Request) (*exchange, fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := &exchange{request: shortRequest(r.Method + " " + r.URL.Path)}
	p.exchanges = append(p.exchanges, x)
	if len(p.exchanges)-1 != p.at {
		return x, ""
	}
	return x, p.fault
}

// hold keeps a request until its sender hangs up, or its case is over.
func (p *faultProxy) hold(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-p.released:
	}
}

func (p *faultProxy) fire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fired = true
}

func (p *faultProxy) hasFired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// seen returns the requests in the order of their arrival.
func (p *faultProxy) seen() []string {
	var requests []string
	for _, x := range p.recorded() {
		requests = append(requests, x.request)
	}
	return requests
}

func (p *faultProxy) recorded() []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []exchange
	for _, x := range p.exchanges {
		list = append(list, *x)
	}
	return list
}

// open is the number of connections that the library has not closed.
func (p *faultProxy) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.clients)
}

// watchedListener notes which connections are open.
type watchedListener struct {
	net.Listener
	proxy *faultProxy
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	watched := &watchedConn{conn, l.proxy}
	l.proxy.mu.Lock()
	l.proxy.clients[watched] = true
	l.proxy.mu.Unlock()
	return watched, nil
}

type watchedConn struct {
	net.Conn
	proxy *faultProxy
}

func (c *watchedConn) Close() error {
	c.proxy.mu.Lock()
	delete(c.proxy.clients, c)
	c.proxy.mu.Unlock()
	return c.Conn.Close()
}

// shortRequest is a request without what differs from run to run.
func shortRequest(request string) string {
	request = versionPrefix.ReplaceAllString(request, " /")
	request = runName.ReplaceAllString(request, "job$1")
	return imageRef.ReplaceAllString(request, "/images/ref/")
}

var (
	versionPrefix = regexp.MustCompile(` /v1\.\d+/`)
	runName       = regexp.MustCompile(`sandbox-[0-9a-f]{32}(-\w+)?`)
	imageRef      = regexp.MustCompile(`/images/.+/`)
)
