package upload

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/leaktest"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

// engine answers uploads by a handler.
func engine(t *testing.T, upload http.HandlerFunc) *dockerx.Client {
	t.Helper()
	leaktest.Check(t)
	t.Setenv("DOCKER_API_VERSION", "1.41")
	server := httptest.NewServer(upload)
	t.Cleanup(server.Close)
	client, err := dockerx.New(dockerx.Address{Host: "tcp://" + server.Listener.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func takeAll(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }

// refuse answers at once, without a look at what would come.
func refuse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusTeapot)
}

func copyOf(input io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, input)
		return err
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// inTime fails the test if f does not return.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "no return")
	}
}

// What the input fails with is the error, whatever the engine makes of it.
func TestInputFails(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		read readFunc
		want error
	}{
		"error":       {func([]byte) (int, error) { return 0, broken }, broken},
		"no progress": {func([]byte) (int, error) { return 0, nil }, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			client, input := engine(t, takeAll), stdio.NewSource(c.read)
			inTime(t, func() {
				require.ErrorIs(t, Tar(context.Background(), client, "c", "/", input, copyOf(input)), c.want)
			})
		})
	}
}

// No Read begins when the upload has ended, and a goroutine that is not in one has
// ended as well.
func TestNoReadAfterTheUpload(t *testing.T) {
	client := engine(t, refuse)
	for range 200 {
		var over, began atomic.Bool
		input := stdio.NewSource(readFunc(func(p []byte) (int, error) {
			if over.Load() {
				began.Store(true)
			}
			return len(p), nil
		}))
		require.Error(t, Tar(context.Background(), client, "c", "/", input, copyOf(input)))
		if !input.Busy() {
			over.Store(true)
		}
		require.False(t, began.Load())
		_, err := input.Read(make([]byte, 1))
		require.ErrorIs(t, err, stdio.ErrShut)
	}
}

// A Read that is under way when the engine refuses the upload, or the context ends, is
// not waited for.
func TestReadThatIsPending(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"refused": refuse, "canceled": takeAll} {
		t.Run(name, func(t *testing.T) {
			client := engine(t, handler)
			ctx, cancel := context.WithCancel(context.Background())
			over := make(chan struct{})
			defer close(over)
			input := stdio.NewSource(io.MultiReader(strings.NewReader("tar"), readFunc(func([]byte) (int, error) {
				if name == "canceled" {
					cancel()
				}
				<-over
				return 0, io.EOF
			})))
			inTime(t, func() { require.Error(t, Tar(ctx, client, "c", "/", input, copyOf(input))) })
			require.Equal(t, name == "canceled", ctx.Err() != nil)
			cancel()
		})
	}
}
