package enginetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	u := &Tunnel{Certs: t.TempDir()}
	a := newAuthority(t)
	a.write(t, u.Certs, "client", x509.ExtKeyUsageClientAuth)
	server := t.TempDir()
	a.write(t, server, "127.0.0.1", x509.ExtKeyUsageServerAuth)
	pair, err := tls.LoadX509KeyPair(filepath.Join(server, "cert.pem"), filepath.Join(server, "key.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	require.NoError(t, err)
	u.Addr = listener.Addr().String()
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
	return u
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

// authority signs certificates for one hour.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert, key}
}

// write makes a certificate for a name, and writes it with its key and the authority's
// own as the docker command expects them.
func (a authority) write(t testing.TB, dir, name string, usage x509.ExtKeyUsage) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for file, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: a.cert.Raw}, "cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600))
	}
}
