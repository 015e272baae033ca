package dockerx

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync"

	"github.com/docker/docker/client"
)

// hijacking marks the context of a call that takes over its connection.
type hijacking struct{}

// pool counts the connections that calls share. Those that are hijacked do not belong to
// it. The zero value is ready to use.
type pool struct {
	mu   sync.Mutex
	open int
	lost int64 // how often the last one was closed, by either side
}

// losses tells how often no connection was left: a caller that sees the same number
// twice has had a connection to the same engine all the time, or never had one.
func (p *pool) losses() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *pool) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open += n; p.open == 0 {
		p.lost++
	}
}

// dialFor makes every connection come from one dialer that honours its context. The
// SDK's hijacking calls dial with TLS, and write and read their request, without one.
func (p *pool) dialFor(c *client.Client) error {
	tr, err := transport(c)
	if err != nil {
		return err
	}
	tr.MaxIdleConnsPerHost = tr.MaxIdleConns // it has one host, of which it would keep two
	dial, config := tr.DialContext, tr.TLSClientConfig
	if config != nil {
		// The SDK takes its own way to a TLS engine unless it sees plain HTTP,
		// and a proxy for plain HTTP would be given the wrong handshake.
		tr.TLSClientConfig, tr.Proxy = nil, nil
		if err := client.WithScheme("http")(c); err != nil {
			return err
		}
	}
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		hijacked := ctx.Value(hijacking{}) != nil
		if hijacked {
			plain := conn
			context.AfterFunc(ctx, func() { plain.Close() })
		}
		// As with Docker's own client, a socket speaks no TLS.
		if config != nil && conn.RemoteAddr().Network() != "unix" {
			if conn, err = handshake(ctx, conn, config, addr); err != nil {
				return nil, err
			}
		}
		if hijacked {
			return conn, nil
		}
		return p.observe(conn), nil
	}
	return nil
}

// observed is a connection whose end can be waited for.
type observed struct {
	net.Conn
	life context.Context // ends with the connection, or when its other end is gone
	end  func()
}

func (p *pool) observe(conn net.Conn) *observed {
	life, cancel := context.WithCancel(context.Background())
	p.add(1)
	return &observed{conn, life, sync.OnceFunc(func() { p.add(-1); cancel() })}
}

func (o *observed) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if err != nil {
		o.end()
	}
	return n, err
}

func (o *observed) Close() error {
	o.end()
	return o.Conn.Close()
}

// whenLost returns a context whose call runs f when its connection has ended.
func whenLost(ctx context.Context, f func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if conn, ok := info.Conn.(*observed); ok {
			stop := context.AfterFunc(conn.life, f)
			context.AfterFunc(ctx, func() { stop() })
		}
	}})
}

func handshake(ctx context.Context, conn net.Conn, config *tls.Config, addr string) (net.Conn, error) {
	config = config.Clone()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
