package process

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/ending"
	"github.com/synchestra-io/sandbox/internal/leaktest"
)

// fakeEngine has one container, "c", whose command is a function.
type fakeEngine struct {
	command  func(c *fakeContainer) (status int)
	state    func(state map[string]any) // changes what is told of the container; nil = nothing
	breaks   func()                     // returns when the wait's connection breaks; nil = it does not
	killed   chan struct{}              // closed by a kill
	exited   chan struct{}              // closed when the command has ended
	attached net.Conn

	mu      sync.Mutex
	started bool
	status  int
}

// fakeContainer is what a command sees.
type fakeContainer struct {
	stdout, stderr io.Writer
	killed         <-chan struct{}
	cut            func() // ends the output's stream
}

// run runs the command with the bounds b.
func (f *fakeEngine) run(t *testing.T, ctx context.Context, b bounds.Bounds, o Options) (Outcome, error) {
	t.Helper()
	leaktest.Check(t)
	f.killed, f.exited = make(chan struct{}), make(chan struct{})
	t.Setenv("DOCKER_API_VERSION", "1.41")
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "engine.sock"))
	require.NoError(t, err)
	server := &http.Server{Handler: f}
	served := make(chan struct{})
	go func() { server.Serve(listener); close(served) }()
	t.Cleanup(func() { server.Close(); <-served })
	client, err := dockerx.New(dockerx.Address{Host: "unix://" + listener.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx = bounds.With(ctx, b)
	o.Ending = ending.New(ctx)
	defer o.Ending.Close()
	o.Verify = func(container.InspectResponse) error { return nil }
	if o.LogBytes == 0 {
		o.LogBytes = 1 << 20
	}
	return Run(ctx, client, "c", o)
}

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch _, call, _ := strings.Cut(r.URL.Path, "/containers/c/"); call {
	case "attach":
		f.attached, _, _ = http.NewResponseController(w).Hijack()
		io.WriteString(f.attached, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	case "wait":
		w.(http.Flusher).Flush()
		if f.breaks != nil {
			f.breaks()
			panic(http.ErrAbortHandler)
		}
		select {
		case <-f.exited:
		case <-r.Context().Done():
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"StatusCode": f.status})
	case "json":
		f.tell(w)
	case "start":
		f.mu.Lock()
		f.started = true
		f.mu.Unlock()
		go f.live()
		w.WriteHeader(http.StatusNoContent)
	case "kill":
		f.kill(w)
	}
}

// live is the container's life. As the engine does, it buffers output.
func (f *fakeEngine) live() {
	buffer := make(chan []byte, 1000)
	go func() {
		defer f.attached.Close()
		for frame := range buffer {
			f.attached.Write(frame) // the client may have closed it
		}
	}()
	status := f.command(&fakeContainer{
		stdout: frames{buffer, 1}, stderr: frames{buffer, 2}, killed: f.killed, cut: func() { f.attached.Close() },
	})
	close(buffer)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
	close(f.exited)
}

func (f *fakeEngine) hasExited() bool {
	select {
	case <-f.exited:
		return true
	default:
		return false
	}
}

// tell answers an inspect.
func (f *fakeEngine) tell(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := map[string]any{"Status": "created"}
	if f.started {
		state["Status"] = "running"
	}
	if f.hasExited() {
		now := time.Now().Format(time.RFC3339Nano)
		state = map[string]any{"Status": "exited", "ExitCode": f.status, "StartedAt": now, "FinishedAt": now}
	}
	if f.state != nil {
		f.state(state)
	}
	json.NewEncoder(w).Encode(map[string]any{"State": state, "HostConfig": map[string]any{}})
}

func (f *fakeEngine) kill(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.exited:
		w.WriteHeader(http.StatusConflict)
		return
	case <-f.killed:
	default:
		close(f.killed)
	}
	w.WriteHeader(http.StatusNoContent)
}

// frames is one of the streams of an attachment.
type frames struct {
	to     chan<- []byte
	stream byte
}

func (f frames) Write(p []byte) (int, error) {
	frame := make([]byte, 8, 8+len(p))
	frame[0] = f.stream
	binary.BigEndian.PutUint32(frame[4:], uint32(len(p)))
	f.to <- append(frame, p...)
	return len(p), nil
}

// until waits for an event of a test.
func until(t *testing.T, event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(20 * time.Second):
		t.Error("there was no", what)
	}
}
