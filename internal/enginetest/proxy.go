package enginetest

import (
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
)

// Proxy stands between the library and an engine. It records the requests and
// passes each to a handler, which can hold it, change it, answer it, or lose it,
// before or after the engine has done its work.
type Proxy struct {
	Host string // for Options.Host and DOCKER_HOST

	handle    func(*Exchange)
	socket    net.Listener
	server    *http.Server
	transport *http.Transport
	served    chan struct{}  // closed when the server has ended
	handlers  sync.WaitGroup // requests that are being handled; added to under mu
	released  chan struct{}  // closed to end what is held
	release   func()

	mu          sync.Mutex
	closed      bool
	exchanges   []*Exchange
	accepted    int                // connections from clients so far
	fromClients map[*conn]struct{} // those that are open
	toEngine    map[*conn]struct{} // connections to the engine that are open
}

// NewProxy starts a proxy in front of an engine, which is closed at the test's end.
// The handler is called with each request, several at a time; nil is
// (*Exchange).Forward.
func NewProxy(t testing.TB, engine *client.Client, handle func(*Exchange)) *Proxy {
	t.Helper()
	if handle == nil {
		handle = (*Exchange).Forward
	}
	dir, err := os.MkdirTemp("", "proxy") // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "engine.sock")
	socket, err := net.Listen("unix", path)
	require.NoError(t, err)
	p := &Proxy{
		Host: "unix://" + path, handle: handle, socket: socket,
		served: make(chan struct{}), released: make(chan struct{}),
		fromClients: map[*conn]struct{}{}, toEngine: map[*conn]struct{}{},
	}
	p.release = sync.OnceFunc(func() { close(p.released) })
	dial := engine.Dialer()
	p.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		return p.watch(c, p.toEngine), nil
	}}
	p.server = &http.Server{Handler: p}
	go func() {
		p.server.Serve(listener{socket, p})
		close(p.served)
	}()
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP handles one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, ok := p.record(w, r)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	defer p.handlers.Done()
	defer x.end()
	p.handle(x)
}

// Release ends what the handlers hold.
func (p *Proxy) Release() { p.release() }

// Vanish is the engine's end: nobody listens, and every connection is closed.
func (p *Proxy) Vanish() {
	p.server.Close()
	p.hangUp(p.fromClients) // those of streams are not the server's any more
}

// Close returns when no request is being handled any more.
func (p *Proxy) Close() {
	p.Release()
	p.Vanish()
	<-p.served
	p.hangUp(p.toEngine) // the stream of a container that never started has no end of its own
	p.transport.CloseIdleConnections()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.handlers.Wait()
}

// Requests returns the requests so far, in the order of their arrival; see
// Exchange.Text.
func (p *Proxy) Requests() []string {
	var texts []string
	for _, x := range p.Recorded() {
		texts = append(texts, x.Text)
	}
	return texts
}

// Recorded is what the proxy noted of a request.
type Recorded struct {
	Text     string // see Exchange.Text
	Up, Down int64  // lengths of the two bodies, without those of streams
}

// Recorded returns the requests so far, in the order of their arrival.
func (p *Proxy) Recorded() (list []Recorded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.exchanges {
		list = append(list, Recorded{x.Text, x.up, x.down})
	}
	return list
}

// Runs are the IDs of runs in the requests so far.
func (p *Proxy) Runs() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.exchanges {
		for _, name := range runName.FindAllString(x.Request.URL.String(), -1) {
			ids = append(ids, strings.TrimPrefix(name, owner.NamePrefix))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Accepted is the number of connections that clients have made.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Open is the number of connections that clients have not closed.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.fromClients)
}

// listener notes the connections that clients make.
type listener struct {
	net.Listener
	proxy *Proxy
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.proxy.mu.Lock()
	l.proxy.accepted++
	l.proxy.mu.Unlock()
	return l.proxy.watch(c, l.proxy.fromClients), nil
}

// conn is a connection that is in a set as long as it is open.
type conn struct {
	net.Conn
	proxy *Proxy
	set   map[*conn]struct{}
}

func (p *Proxy) watch(c net.Conn, set map[*conn]struct{}) *conn {
	watched := &conn{c, p, set}
	p.mu.Lock()
	defer p.mu.Unlock()
	set[watched] = struct{}{}
	return watched
}

func (c *conn) Close() error {
	c.proxy.mu.Lock()
	delete(c.set, c)
	c.proxy.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is what ends the input of a stream.
func (c *conn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func (p *Proxy) hangUp(set map[*conn]struct{}) {
	p.mu.Lock()
	open := slices.Collect(maps.Keys(set))
	p.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}
