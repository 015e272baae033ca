package dockerx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/leaktest"
)

const attachRoute = "POST /containers/c/attach"

// hijacked takes over the connection of an attach, answers it, and hands it to
// f together with the first bytes that f wants to send with the answer.
func hijacked(t *testing.T, first string, f func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "1 1 1", fmt.Sprint(r.FormValue("stream"), " ", r.FormValue("stdout"), " ", r.FormValue("stderr")))
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"+first)
		f(conn)
	}
}

func TestAttach(t *testing.T) {
	c := fakeEngine(t, routes{attachRoute: hijacked(t, frame(1, "with the answer, "), func(conn net.Conn) {
		io.WriteString(conn, frame(2, "error")+frame(1, "later"))
	})})
	a, err := c.Attach(context.Background(), "c", false)
	require.NoError(t, err)
	defer a.Close()
	var stdout, stderr bytes.Buffer
	inTime(t, func() { require.NoError(t, a.Demultiplex(&stdout, &stderr)) })
	require.Equal(t, "with the answer, later", stdout.String())
	require.Equal(t, "error", stderr.String())
}

// Podman takes some keys in the input for an order to detach. Of a connection on which there
// is input that nobody read, it loses output.
func TestAttachToPodman(t *testing.T) {
	var keys []string
	read := make(chan struct{})
	output := hijacked(t, frame(1, "output, "), func(conn net.Conn) {
		<-read
		io.WriteString(conn, frame(1, "all of it"))
	})
	input := hijacked(t, frame(1, "output"), func(conn net.Conn) {
		_, err := conn.Read(make([]byte, 1)) // and leaves the rest
		require.NoError(t, err)
		io.WriteString(conn, frame(2, "Error: connection reset by peer"))
		close(read)
	})
	c := fakeEngine(t, routes{attachRoute: func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("stdin") != "1" {
			output(w, r)
			return
		}
		keys = r.Form["detachKeys"]
		input(w, r)
	}})
	c.podman.Store(true)
	a, err := c.Attach(context.Background(), "c", true)
	require.NoError(t, err)
	defer a.Close()
	_, err = io.WriteString(a, "input")
	require.NoError(t, err)
	var stdout bytes.Buffer
	inTime(t, func() { require.NoError(t, a.Demultiplex(&stdout, &stdout)) })
	require.Equal(t, "output, all of it", stdout.String())
	require.Equal(t, []string{""}, keys, "none at all, which is not the same as unset")
	inTime(t, func() { <-a.InputEnded() })
}

func TestAttachmentOutlivesContext(t *testing.T) {
	ended := make(chan struct{})
	c := fakeEngine(t, routes{attachRoute: hijacked(t, "", func(conn net.Conn) {
		<-ended
		io.WriteString(conn, frame(1, "after the end"))
		io.Copy(io.Discard, conn)
	})})
	ctx, cancel := context.WithCancel(context.Background())
	a, err := c.Attach(ctx, "c", false)
	require.NoError(t, err)
	cancel()
	close(ended)
	var stdout bytes.Buffer
	closing := writerFunc(func(p []byte) (int, error) { a.Close(); return stdout.Write(p) })
	inTime(t, func() { require.Error(t, a.Demultiplex(closing, io.Discard), "a stream that was closed has no end") })
	require.Equal(t, "after the end", stdout.String())
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// The SDK gives its context to the dialer and then forgets it: neither a bound
// nor a cancel reaches the request, and with TLS not even the dialing.
func TestAttachToMuteEngine(t *testing.T) {
	certs := newCertificates(t)
	for name, c := range map[string]struct {
		network  string
		env      []string
		listener func(net.Listener) net.Listener
	}{
		"tcp":                {network: "tcp"},
		"unix":               {network: "unix"},
		"TLS":                {network: "tcp", env: certs.env(), listener: certs.listener},
		"TLS, no handshake":  {network: "tcp", env: certs.env()},
		"TLS, not verifying": {network: "tcp", env: certs.blindly(), listener: certs.listener},
	} {
		for how, run := range map[string]func(*testing.T, *Client, <-chan struct{}){
			"bound":  attachBounded,
			"cancel": attachCancelled,
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				leaktest.Check(t)
				l, host := listen(t, c.network)
				if c.listener != nil {
					l = c.listener(l)
				}
				engine := mute(l)
				run(t, clientOf(t, host, append(c.env, pinned)...), engine.accepted)
				inTime(t, func() { <-engine.closed })
			})
		}
	}
}

func attachBounded(t *testing.T, c *Client, _ <-chan struct{}) {
	inTime(t, func() {
		_, err := c.Attach(brief, "c", false)
		require.ErrorContains(t, err, "no answer from the engine within 100ms")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, context.Canceled)
	})
}

func attachCancelled(t *testing.T, c *Client, accepted <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-accepted; cancel() }()
	inTime(t, func() {
		_, err := c.Attach(ctx, "c", false)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestAttachRefused(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		w.(http.Flusher).Flush()
		silent(w, r)
	}
	running := inTurn(state("running", 0)).serve
	for name, c := range map[string]struct {
		attach, inspect http.HandlerFunc
		ctx             context.Context
		err             string
	}{
		"failed":             {inTurn(refused(500, "boom")).serve, running, ample, "received 500"},
		"not upgraded":       {inTurn(answer{200, "{}"}).serve, running, ample, "received 200"},
		"a body without end": {endless, running, brief, "no answer from the engine within"},
		"no container":       {inTurn(notFound).serve, inTurn(notFound).serve, ample, ErrGone.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{attachRoute: c.attach, inspectRoute: c.inspect})
			inTime(t, func() {
				_, err := engine.Attach(c.ctx, "c", false)
				require.ErrorContains(t, err, "attach: ")
				require.ErrorContains(t, err, c.err)
				require.Equal(t, name == "no container", errors.Is(err, ErrGone))
			})
		})
	}
}
