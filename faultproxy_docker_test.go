//go:build docker

package sandbox

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// faultProxy stands between the library and the real engine, counts requests,
// and does something to one of them.
type faultProxy struct {
	host string // for DOCKER_HOST

	mu       sync.Mutex
	requests []string // method and path, in the order of arrival
	at       int      // index of the request with the fault, -1 = none
	fault    fault
	fired    bool
	conns    []net.Conn // to the engine
}

// fault is what happens to a request.
type fault string

const (
	refuse     fault = "refuse"      // answered with 500, not forwarded
	dropAnswer fault = "drop answer" // forwarded, then the connection is closed
)

func newFaultProxy(t testing.TB, at int, f fault) *faultProxy {
	t.Helper()
	p := &faultProxy{at: at, fault: f}
	socket := filepath.Join(t.TempDir(), "engine.sock")
	p.host = "unix://" + socket
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) },
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(engineURL) },
		Transport:     transport,
		FlushInterval: -1, // a wait's header must arrive before its body
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p.arrive(r) {
		case refuse:
			http.Error(w, `{"message":"refused by the fault proxy"}`, http.StatusInternalServerError)
		case dropAnswer:
			forwardAndDrop(transport, r)
			panic(http.ErrAbortHandler)
		default:
			forward.ServeHTTP(w, r)
		}
	})}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	t.Cleanup(func() { server.Close(); <-served; p.hangUp() })
	return p
}

func (p *faultProxy) dial(ctx context.Context) (net.Conn, error) {
	conn, err := api.Dialer()(ctx)
	if err == nil {
		p.mu.Lock()
		p.conns = append(p.conns, conn)
		p.mu.Unlock()
	}
	return conn, err
}

// hangUp closes what is open to the engine: an attach to a container that never
// started has no end of its own.
func (p *faultProxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
}

var engineURL = &url.URL{Scheme: "http", Host: "engine"}

// arrive records a request and returns its fault, "" = none.
func (p *faultProxy) arrive(r *http.Request) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.Method+" "+versionPrefix.ReplaceAllString(r.URL.Path, "/"))
	if len(p.requests)-1 != p.at {
		return ""
	}
	p.fired = true
	return p.fault
}

var versionPrefix = regexp.MustCompile(`^/v1\.\d+/`)

// forwardAndDrop lets the engine do its work. The answers of wait and attach
// are streams without an end yet: there the header must do.
func forwardAndDrop(transport http.RoundTripper, r *http.Request) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = engineURL.Scheme, engineURL.Host, ""
	answer, err := transport.RoundTrip(out)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	if !strings.HasSuffix(r.URL.Path, "/wait") && !strings.HasSuffix(r.URL.Path, "/attach") {
		io.Copy(io.Discard, answer.Body)
	}
}

func (p *faultProxy) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requests...)
}

func (p *faultProxy) hasFired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// caseName names a case as text, such as "07 PUT job-stage archive refuse".
func caseName(i int, request string, f fault) string {
	parts := strings.FieldsFunc(shortRequest(request), func(r rune) bool { return r == '/' || r == ' ' })
	return fmt.Sprintf("%02d %s %s", i, strings.Join(parts, " "), f)
}

// shortRequest is a request without what differs from run to run.
func shortRequest(request string) string {
	request = runName.ReplaceAllString(request, "job$1")
	return imageRef.ReplaceAllString(request, "/images/ref/")
}

var (
	runName  = regexp.MustCompile(`sandbox-[0-9a-f]{32}(-\w+)?`)
	imageRef = regexp.MustCompile(`/images/.+/`)
)
