package dockerx

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/leaktest"
)

// An engine is asked again if it is another process, or if it is not known who it is.
func TestRecall(t *testing.T) {
	leaktest.Check(t)
	e := &otherEngine{}
	e.version.Store("1.44")
	var asked atomic.Int64
	dir, err := os.MkdirTemp("", "recall") // the path of a socket must be short
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	listen := func() *httptest.Server {
		socket, err := net.Listen("unix", path)
		require.NoError(t, err)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/info") {
				asked.Add(1)
			}
			e.ServeHTTP(w, r)
		}))
		server.Listener.Close()
		server.Listener = socket
		server.Start()
		return server
	}
	server := listen()
	recall := func(questions int64) {
		t.Helper()
		asked.Store(0)
		c, err := New(Address{Host: "unix://" + path})
		require.NoError(t, err)
		defer c.Close()
		engine, err := c.Recall(context.Background())
		require.NoError(t, err)
		require.True(t, engine.KnowsBuiltin)
		require.Equal(t, questions, asked.Load())
		state, err := c.Inspect(context.Background(), "c")
		require.NoError(t, err, "the version of the API is agreed on")
		require.True(t, state.Created)
	}
	recall(1)
	recall(1) // who knows what may be behind this program

	name, err := os.ReadFile("/proc/self/comm")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("/proc/self/comm", []byte("dockerd"), 0))
	defer os.WriteFile("/proc/self/comm", name, 0)
	recall(1)
	recall(0)
	recall(0)
	t.Setenv("DOCKER_API_VERSION", "1.44")
	recall(1)
	server.Close()
	server = listen()
	recall(1)
	recall(0)
	server.Close()
}
