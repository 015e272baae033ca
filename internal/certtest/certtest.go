// Package certtest makes certificates for engines that are reached over TLS.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Certificates are an engine's and a client's, by an authority of their own, for one hour.
type Certificates struct {
	Dir    string      // the client's, with ca.pem, cert.pem and key.pem, as the docker command expects them
	Server *tls.Config // the engine's, which wants a certificate from its clients
}

// New makes the engine's certificate for the names, by default for 127.0.0.1 and localhost.
func New(t testing.TB, names ...string) Certificates {
	t.Helper()
	end := time.Now().Add(time.Hour)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: end,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, caDER := issue(t, authority, authority, nil)
	server := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: end, DNSNames: names}
	if len(names) == 0 {
		server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	serverKey, serverDER := issue(t, server, authority, caKey)
	clientKey, clientDER := issue(t, &x509.Certificate{SerialNumber: big.NewInt(3), NotAfter: end}, authority, caKey)

	dir := t.TempDir()
	keyDER, err := x509.MarshalPKCS8PrivateKey(clientKey)
	require.NoError(t, err)
	writePEM(t, dir, "ca.pem", "CERTIFICATE", caDER)
	writePEM(t, dir, "cert.pem", "CERTIFICATE", clientDER)
	writePEM(t, dir, "key.pem", "PRIVATE KEY", keyDER)
	ca, err := x509.ParseCertificate(caDER)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return Certificates{dir, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{serverDER}, PrivateKey: serverKey}},
		ClientCAs:    pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}}
}

func issue(t testing.TB, cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	require.NoError(t, err)
	return key, der
}

func writePEM(t testing.TB, dir, name, kind string, der []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
}
