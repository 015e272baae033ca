package dockerx

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/certtest"
	"github.com/synchestra-io/sandbox/internal/leaktest"
)

// certificates are an engine's and a client's, by an authority of their own.
type certificates struct{ certtest.Certificates }

// newCertificates makes the engine's certificate for the names; see [certtest.New].
func newCertificates(t *testing.T, names ...string) certificates {
	t.Helper()
	return certificates{certtest.New(t, names...)}
}

// env makes a client use certificates, and verify the engine's.
func (c certificates) env() []string { return append(c.blindly(), "DOCKER_TLS_VERIFY=1") }

// blindly makes a client use certificates and believe any.
func (c certificates) blindly() []string { return []string{"DOCKER_CERT_PATH=" + c.Dir} }

func (c certificates) listener(l net.Listener) net.Listener { return tls.NewListener(l, c.Server) }

// attachable is an engine's /info and the attach of container c.
func attachable(t *testing.T) routes {
	return routes{
		"GET /info":  inTurn(answer{200, linuxInfo}).serve,
		attachRoute:  hijacked(t, frame(1, "hello"), func(net.Conn) {}),
		inspectRoute: inTurn(state("running", 0)).serve,
	}
}

// Pooled connections and attachments are dialed in different ways by the SDK.
func TestTLS(t *testing.T) {
	good, strange, misnamed := newCertificates(t), newCertificates(t), newCertificates(t, "elsewhere.example")
	for name, c := range map[string]struct {
		server *tls.Config
		env    []string
		host   string // "" = 127.0.0.1
		err    string
	}{
		"verified":             {server: good.Server, env: good.env()},
		"verified by name":     {server: good.Server, env: good.env(), host: "localhost"},
		"not verified":         {server: mutual(strange, good), env: good.blindly()},
		"wrong authority":      {server: mutual(strange, good), env: good.env(), err: "unknown authority"},
		"wrong name":           {server: misnamed.Server, env: misnamed.env(), err: "127.0.0.1"},
		"stranger to it":       {server: strange.Server, env: good.blindly(), err: "tls"},
		"no TLS by the client": {server: good.Server, err: "malformed HTTP response|HTTP request to an HTTPS server|400"},
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			l, _ := listen(t, "tcp")
			serve(t, handler(t, attachable(t)), tls.NewListener(l, c.server))
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			if c.host == "" {
				c.host = "127.0.0.1"
			}
			engine := clientOf(t, "tcp://"+net.JoinHostPort(c.host, port), append(c.env, pinned)...)
			_, err = engine.Connect(context.Background())
			a, attachErr := engine.Attach(context.Background(), "c", false)
			if c.err != "" {
				require.Regexp(t, c.err, err)
				require.Error(t, attachErr)
				return
			}
			require.NoError(t, err)
			require.NoError(t, attachErr)
			defer a.Close()
			requireHello(t, a)
		})
	}
}

// mutual is the engine's side with the certificate of one authority, trusting
// the clients of another.
func mutual(own, clients certificates) *tls.Config {
	config := own.Server.Clone()
	config.ClientCAs = clients.Server.ClientCAs
	return config
}

// As with Docker's own client, certificates are for TCP: a socket speaks no TLS.
func TestCertificatesDoNotMatterToASocket(t *testing.T) {
	leaktest.Check(t)
	l, host := listen(t, "unix")
	serve(t, handler(t, attachable(t)), l)
	engine := clientOf(t, host, newCertificates(t).env()...)
	_, err := engine.Connect(context.Background())
	require.NoError(t, err)
	a, err := engine.Attach(context.Background(), "c", false)
	require.NoError(t, err)
	defer a.Close()
	requireHello(t, a)
}

// The default socket must be dialed also beside certificates. Whether anybody
// listens on it is not this test's business.
func TestCertificatesWithoutHost(t *testing.T) {
	engine := clientOf(t, "", newCertificates(t).env()...)
	require.Equal(t, "unix:///var/run/docker.sock", engine.Host())
	require.NotPanics(t, func() {
		if conn, err := engine.api().Dialer()(brief); err == nil {
			conn.Close()
		}
	})
}

func TestBadConfiguration(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no scheme":           {"DOCKER_HOST": "localhost"},
		"missing certificate": {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_CERT_PATH": t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			_, err := New(Address{})
			require.ErrorContains(t, err, "engine configuration: ")
		})
	}
}

func requireHello(t *testing.T, a *Attachment) {
	t.Helper()
	var stdout bytes.Buffer
	inTime(t, func() { require.NoError(t, a.Demultiplex(&stdout, io.Discard)) })
	require.Equal(t, "hello", stdout.String())
}
