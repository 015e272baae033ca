package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// What one access may take.
const (
	maxConnections = 64       // of clients, and as many to servers
	maxIdle        = 16       // of those to servers, without a request
	maxBytes       = 64 << 30 // with clients and with servers, both ways
	maxHeader      = 16 << 10
	maxFields      = 100 // of a header, each of which takes more memory than it has bytes
	maxEarly       = 10  // answers before the final one
	headerTime     = 30 * time.Second
	helloTime      = 10 * time.Second
	dialTime       = 20 * time.Second
	idleTime       = 5 * time.Minute // of a tunnel in which nothing goes either way
	requestTime    = time.Hour       // of a request that is no tunnel
	// The kernel would let a socket's buffers grow to megabytes, which count for the proxy.
	socketBuffer = 128 << 10
)

// access serves one run.
type access struct {
	policy   policy.Policy
	dialer   dialer
	servers  chan struct{} // a slot for each connection to a server
	server   *http.Server
	listener *limitedListener
	forward  *httputil.ReverseProxy
	end      context.CancelFunc // of all that is under way
	life     context.Context
	bytes    atomic.Int64 // that came and went
	denials  denials
	finished chan struct{} // closed when the server has ended
	once     sync.Once     // of close

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup // requests and tunnels
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newAccess serves a listener until close.
func newAccess(p policy.Policy, d dialer, l net.Listener) *access {
	a := &access{policy: p, dialer: d, servers: make(chan struct{}, maxConnections), finished: make(chan struct{})}
	a.life, a.end = context.WithCancel(context.Background())
	a.forward = &httputil.ReverseProxy{
		// The request names its own target, and its query is the server's to read.
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.RawQuery = r.In.URL.RawQuery },
		Transport: &http.Transport{
			DialContext: a.dial, DisableCompression: true, MaxIdleConns: maxIdle, IdleConnTimeout: 30 * time.Second,
			ResponseHeaderTimeout: idleTime, MaxResponseHeaderBytes: maxHeader,
		},
		ModifyResponse: check,
		ErrorHandler:   a.refuse,
		FlushInterval:  -1,
		ErrorLog:       discard,
	}
	a.server = &http.Server{
		Handler: a, ReadHeaderTimeout: headerTime, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: discard,
		BaseContext: func(net.Listener) context.Context { return a.life },
	}
	a.listener = &limitedListener{Listener: l, spent: a.spent, open: map[*countedConn]struct{}{}}
	go func() { // close waits for it
		defer close(a.finished)
		a.server.Serve(a.listener)
	}()
	return a
}

// close ends all connections, and waits until nothing is under way. It may be called more
// than once.
func (a *access) close() {
	a.once.Do(func() {
		a.mu.Lock()
		a.closed = true
		a.mu.Unlock()
		a.end()
		a.server.Close()
		<-a.finished
		a.listener.closeAll()
	})
	a.active.Wait()
	a.forward.Transport.(*http.Transport).CloseIdleConnections()
}

// spent counts bytes, and tells whether the access has had its share.
func (a *access) spent(n int) bool {
	used := a.bytes.Add(int64(n))
	if used > maxBytes && used-int64(n) <= maxBytes {
		a.denials.add("", errSpent.Error())
	}
	return used > maxBytes
}

var errSpent = fmt.Errorf("the limit of %d GiB is reached", maxBytes>>30)

// enter counts a request, unless the access is closed.
func (a *access) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.active.Add(1)
	}
	return !a.closed
}

// dial connects to a target that was allowed by its name, when there is a slot. The dial ends
// with its request, with which the HTTP client would not end it, and with the access.
func (a *access) dial(ctx context.Context, network, target string) (net.Conn, error) {
	if !a.enter() {
		return nil, net.ErrClosed
	}
	defer a.active.Done()
	bound, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	defer context.AfterFunc(a.life, cancel)()
	if request, ok := ctx.Value(requestKey{}).(context.Context); ok {
		defer context.AfterFunc(request, cancel)()
	}
	if err := a.takeSlot(bound); err != nil {
		return nil, err
	}
	free := sync.OnceFunc(func() { <-a.servers })
	conn, err := a.dialer(bound, network, target)
	if err != nil {
		free()
		return nil, err
	}
	shrink(conn)
	return serverConn{conn, a.listener, free}, nil
}

// takeSlot waits for a slot. Idle connections give theirs back.
func (a *access) takeSlot(ctx context.Context) error {
	select {
	case a.servers <- struct{}{}:
		return nil
	default:
		a.forward.Transport.(*http.Transport).CloseIdleConnections()
	}
	select {
	case a.servers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errors.New("there are too many connections to servers")
	}
}
