package dockerx

import (
	"context"
	"crypto/tls"
	"net"

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
		if ctx.Value(hijack{}) != nil {
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		if config == nil || conn.RemoteAddr().Network() == "unix" {
			return conn, nil // as with Docker's own client, a socket speaks no TLS
		}
		return handshake(ctx, conn, config, addr)
	}
	return nil
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
