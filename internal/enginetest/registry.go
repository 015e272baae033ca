package enginetest

import (
	"context"
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
)

// Registry is a real docker-registry on the loopback, where engines allow plain
// HTTP, behind a proxy that counts requests and can refuse them.
type Registry struct {
	Addr string // host and port

	mu       sync.Mutex
	requests []string                 // method and path
	refuse   func(*http.Request) bool // nil = none
}

// NewRegistry starts a registry, which ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	backend := startRegistry(t)
	r := &Registry{}
	target := &url.URL{Scheme: "http", Host: backend}
	forward := &httputil.ReverseProxy{Rewrite: func(q *httputil.ProxyRequest) {
		q.SetURL(target)
		q.Out.Host = q.In.Host // the registry's links to itself lead through the proxy again
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.Addr = listener.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.URL.Path)
		refused := r.refuse != nil && r.refuse(req)
		r.mu.Unlock()
		if refused {
			http.Error(w, `{"errors":[{"code":"UNKNOWN","message":"refused by the test"}]}`, http.StatusInternalServerError)
			return
		}
		forward.ServeHTTP(w, req)
	})}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	t.Cleanup(func() { server.Close(); <-served })
	return r
}

// startRegistry runs docker-registry until the test ends.
func startRegistry(t testing.TB) string {
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
		"version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n",
		filepath.Join(dir, "data"), addr), 0o600))
	server := exec.Command(binary, "serve", config)
	require.NoError(t, server.Start())
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })

	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + addr + "/v2/")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
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
	body, err := API.ImagePush(ctx, ref, image.PushOptions{RegistryAuth: "e30="})
	require.NoError(t, err)
	answer, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.NotContains(t, string(answer), "errorDetail")
	_, digest, found := strings.Cut(string(answer), `"Digest":"`)
	require.True(t, found, "no digest in %s", answer)
	digest, _, _ = strings.Cut(digest, `"`)
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

// RefuseIf has requests refused from now on.
func (r *Registry) RefuseIf(refuse func(*http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}
