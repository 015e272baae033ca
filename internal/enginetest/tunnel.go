package enginetest

import (
	"context"
	"crypto/tls"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/certtest"
)

// Tunnel is the engine at an address of its own, on loopback over TLS. It wants a
// certificate from its clients.
type Tunnel struct {
	Addr  string // HOST:PORT
	Certs string // directory with ca.pem, cert.pem and key.pem for a client
}

// NewTunnel opens a tunnel to the engine, which is closed at the test's end.
func NewTunnel(t testing.TB) *Tunnel {
	t.Helper()
	certs := certtest.New(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", certs.Server)
	require.NoError(t, err)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { pass(client.(*tls.Conn)) })
		}
	})
	t.Cleanup(func() { listener.Close(); conns.Wait() })
	return &Tunnel{listener.Addr().String(), certs.Dir}
}

// pass passes on what a client and the engine send, to the end of both.
func pass(client *tls.Conn) {
	defer client.Close()
	engine, err := API.Dialer()(context.Background())
	if err != nil {
		return
	}
	defer engine.Close()
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(client, engine)
		client.CloseWrite()
	})
	io.Copy(engine, client)
	engine.(interface{ CloseWrite() error }).CloseWrite()
	back.Wait()
}
