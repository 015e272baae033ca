package sandbox

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// fakeEngine is an engine without images: a run ends at the search for its own.
type fakeEngine struct {
	socket  string        // "" = a new one
	asked   chan struct{} // if set, the one request closes it and gets no answer
	version string        // of its API, the only one that it knows; "" = 1.41
	ahead   time.Duration // of its clock
	volumes []dockerx.Object
	// containers, and what an inspect says of the state of each, by name; nil = an error.
	containers []dockerx.Object
	states     map[string]map[string]any
	failing    string // the end of a name that cannot be removed

	mu          sync.Mutex
	requests    []string
	connections int
	stop        func() // ends it, unless it has ended
}

// runner starts the engine and makes a Runner for it.
func (e *fakeEngine) runner(t *testing.T) *Runner {
	t.Helper()
	e.start(t)
	r, err := New(Options{Host: "unix://" + e.socket})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func (e *fakeEngine) start(t *testing.T) {
	t.Helper()
	if e.socket == "" {
		e.socket = filepath.Join(t.TempDir(), "engine.sock")
	}
	listener, err := net.Listen("unix", e.socket)
	require.NoError(t, err)
	server := &http.Server{Handler: e, ConnState: func(_ net.Conn, s http.ConnState) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if s == http.StateNew {
			e.connections++
		}
	}}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	e.stop = func() { server.Close(); <-served }
	t.Cleanup(e.stop)
}

func (e *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version := cmp.Or(e.version, "1.41")
	path := strings.TrimPrefix(r.URL.Path, "/v"+version)
	e.mu.Lock()
	e.requests = append(e.requests, r.Method+" "+path)
	e.mu.Unlock()
	if e.asked != nil {
		close(e.asked)
		<-r.Context().Done()
		return
	}
	w.Header().Set("Api-Version", version)
	w.Header().Set("Content-Type", "application/json")
	answer := json.NewEncoder(w)
	switch {
	case path == "/_ping":
	case strings.HasPrefix(path, "/v1."):
		w.WriteHeader(http.StatusBadRequest)
		answer.Encode(map[string]any{"message": "API version " + version + " is needed"})
	case path == "/info":
		answer.Encode(map[string]any{"OSType": "linux", "NCPU": 2, "SecurityOptions": []string{"name=seccomp,profile=default"}, "SystemTime": time.Now().Add(e.ahead)})
	case path == "/containers/json":
		list := []any{}
		for _, c := range e.containers {
			list = append(list, map[string]any{"Names": []string{"/" + c.Name}, "Labels": c.Labels})
		}
		answer.Encode(list)
	case r.Method == http.MethodGet && strings.HasPrefix(path, "/containers/"):
		state, known := e.states[strings.TrimSuffix(strings.TrimPrefix(path, "/containers/"), "/json")]
		if known && state == nil {
			w.WriteHeader(http.StatusInternalServerError)
		} else if !known {
			w.WriteHeader(http.StatusNotFound)
		}
		answer.Encode(map[string]any{"Id": "c", "State": state})
	case r.Method == http.MethodDelete && e.failing != "" && strings.HasSuffix(path, e.failing):
		w.WriteHeader(http.StatusInternalServerError)
		answer.Encode(map[string]any{"message": "too many open files"})
	case path == "/volumes":
		answer.Encode(map[string]any{"Volumes": e.volumes})
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
		answer.Encode(map[string]any{"message": "no such image"})
	}
}

// count is how often something was asked for.
func (e *fakeEngine) count(request string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.requests {
		if r == request {
			n++
		}
	}
	return n
}
