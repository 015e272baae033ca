//go:build docker

package sandbox

import (
	"io"
	"net/http"
	"strings"
)

// inputProxy is a faultProxy that also passes on what an attached client sends.
type inputProxy struct{ *faultProxy }

func (p inputProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/attach") {
		p.faultProxy.ServeHTTP(w, r)
		return
	}
	x, f := p.arrive(r)
	if p.intercept(w, r, f) {
		return
	}
	answer, err := p.transport.RoundTrip(p.outgoing(r, x, f))
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		panic(http.ErrAbortHandler)
	}
	stream := answer.Body.(interface {
		io.ReadWriteCloser
		CloseWrite() error
	})
	defer stream.Close()
	if f == dropAnswer || f == late {
		p.withhold(r, answer, f)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	answer.Body = nil
	if answer.Write(conn) != nil {
		return
	}
	if f == cancelAfter {
		p.fire()
		p.cancel()
	}
	go func() {
		// A client who has sent something ends its input. One who has not hangs up,
		// which the engine does not notice before the container's start.
		if n, _ := io.Copy(stream, conn); n > 0 {
			stream.CloseWrite()
		} else {
			stream.Close()
		}
	}()
	io.Copy(conn, stream)
}
