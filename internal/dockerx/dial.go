package dockerx

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"

	"github.com/docker/docker/client"
)

// hijack marks the context of a call that takes over its connection.
type hijack struct{}

// withOwnDialer makes every connection come from one dialer that honours its
// context. The SDK's hijacking calls dial with TLS, and write and read their
// request, without one.
func withOwnDialer(c *client.Client) error {
	tr, err := transport(c)
	if err != nil {
		return err
	}
	if tr.DialContext == nil {
		// Certificates without DOCKER_HOST: the SDK lost the default socket.
		if err := client.WithHost(c.DaemonHost())(c); err != nil {
			return err
		}
	}
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
		hijacked := ctx.Value(hijack{}) != nil
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
		return observe(conn), nil
	}
	return nil
}

// observed is a connection whose end can be waited for.
type observed struct {
	net.Conn
	life context.Context // ends with the connection, or when its other end is gone
	end  context.CancelFunc
}

func observe(conn net.Conn) *observed {
	life, end := context.WithCancel(context.Background())
	return &observed{conn, life, end}
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
