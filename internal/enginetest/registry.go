package enginetest

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/certtest"
)

// Registry is a real docker-registry on the loopback, where engines allow plain
// HTTP, behind a proxy that counts requests and can refuse them.
type Registry struct {
	Addr string // host and port
	// Username and Password are who may use it; "" = everybody.
	Username, Password string

	mu       sync.Mutex
	requests []string                 // method and path
	refuse   func(*http.Request) bool // nil = none
	hold     func()                   // called before every answer; nil = nothing
}

// NewRegistry starts a registry, which ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{}
	r.start(t, startRegistry(t, ""), nil)
	return r
}

// passwords is an htpasswd file with the one user of private registries.
const passwords = "tester:$2a$04$rKOpedyDjBzDSdPq08//kebeuv7eQy027AVrRXAOwkZPHh.EpHn7O\n"

// NewPrivateRegistry starts a registry that wants a user and a password. With TLS,
// engines do not check its certificate on loopback, and try again without TLS if it
// refuses them.
func NewPrivateRegistry(t testing.TB, secure bool) *Registry {
	t.Helper()
	r := &Registry{Username: "tester", Password: "planted-secret"}
	dir := t.TempDir()
	file := filepath.Join(dir, "htpasswd")
	require.NoError(t, os.WriteFile(file, []byte(passwords), 0o600))
	backend := startRegistry(t, fmt.Sprintf("auth: {htpasswd: {realm: private, path: %q}}\n", file))
	if !secure {
		r.start(t, backend, nil)
		return r
	}
	r.start(t, backend, &tls.Config{Certificates: certtest.New(t).Server.Certificates})
	return r
}

// start starts the proxy in front of a registry.
func (r *Registry) start(t testing.TB, backend string, secure *tls.Config) {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: backend}
	forward := &httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) {
		q.SetURL(target)
		q.Out.Host = q.In.Host // the registry's links to itself lead through the proxy again
		if secure != nil {
			q.Out.Header.Set("X-Forwarded-Proto", "https")
		}
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.Addr = listener.Addr().String()
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.URL.Path)
		refused, hold := r.refuse != nil && r.refuse(req), r.hold
		r.mu.Unlock()
		if hold != nil {
			hold()
		}
		if refused {
			http.Error(w, `{"errors":[{"code":"UNKNOWN","message":"refused by the test"}]}`, http.StatusInternalServerError)
			return
		}
		forward.ServeHTTP(w, req)
	})}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	t.Cleanup(func() { server.Close(); <-served })
}

// startRegistry runs docker-registry, with more configuration, until the test ends.
func startRegistry(t testing.TB, more string) string {
	t.Helper()
	binary, err := exec.LookPath("docker-registry")
	require.NoError(t, err, "the tests need docker-registry (Debian: docker-registry); make engine installs it")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := free.Addr().String()
	require.NoError(t, free.Close())

	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n%s",
		filepath.Join(dir, "data"), addr, more), 0o600))
	server := exec.Command(binary, "serve", config)
	require.NoError(t, server.Start())
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })

	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + addr + "/v2/")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && (answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusUnauthorized)
	}, 10*time.Second, 20*time.Millisecond, "docker-registry does not answer")
	return addr
}

// Push puts an image of the engine's into the registry under a name and a tag, and
// returns its reference there, which is one of the engine's now, and its digest.
func (r *Registry) Push(t testing.TB, local, name, tag string) (ref, digest string) {
	t.Helper()
	ctx := context.Background()
	ref = r.Addr + "/" + name + ":" + tag
	require.NoError(t, API.ImageTag(ctx, local, ref))
	t.Cleanup(func() { RemoveImage(t, ref) })
	login, err := json.Marshal(map[string]string{"username": r.Username, "password": r.Password})
	require.NoError(t, err)
	body, err := API.ImagePush(ctx, ref, image.PushOptions{RegistryAuth: base64.URLEncoding.EncodeToString(login)})
	require.NoError(t, err)
	answer, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.NotContains(t, string(answer), "errorDetail")
	_, digest, found := strings.Cut(string(answer), "digest: ")
	require.True(t, found, "no digest in %s", answer)
	digest, _, _ = strings.Cut(digest, " ")
	return ref, digest
}

// Move is Push, and removes the image from the engine.
func (r *Registry) Move(t testing.TB, local, name string) (ref, digest string) {
	t.Helper()
	ref, digest = r.Push(t, local, name, "v1")
	RemoveImage(t, ref)
	RemoveImage(t, local)
	return ref, digest
}

// Requests is the number of requests so far.
func (r *Registry) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// Asked is how often something whose path ends so was asked for.
func (r *Registry) Asked(end string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.requests {
		if strings.HasSuffix(request, end) {
			n++
		}
	}
	return n
}

// Hold calls hold before every answer from now on.
func (r *Registry) Hold(hold func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold = hold
}

// RefuseIf has requests refused from now on.
func (r *Registry) RefuseIf(refuse func(*http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}
