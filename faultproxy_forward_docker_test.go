//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox/internal/archive"
)

// page is what a web server in the engine's place says to everything.
const page = "<html><body>Welcome!</body></html>"

// intercept does what comes before a request is forwarded, and reports whether
// that was all.
func (p *faultProxy) intercept(w http.ResponseWriter, r *http.Request, f fault) bool {
	switch f {
	case refuse:
		p.fire()
		http.Error(w, `{"message":"refused by the fault proxy"}`, http.StatusInternalServerError)
	case never:
		p.fire()
		p.hold(r)
	case afterwards:
		p.forwardLater(r)
	case html, html404:
		p.fire()
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if f == html404 {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, page)
	case reset:
		io.CopyN(io.Discard, r.Body, p.up/2)
		p.fire()
		panic(http.ErrAbortHandler) // closed with bytes unread, a socket is reset
	case gone:
		p.fire()
		p.vanish()
	case cancelBefore:
		p.fire()
		p.cancel()
		return false
	case held:
		p.fire()
		<-time.After(holdTime)
		return false
	default:
		return false
	}
	return true
}

// forwardLater sends a request to the engine when nobody waits for the answer
// any more.
func (p *faultProxy) forwardLater(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.fire()
	p.hold(r)
	out := p.outgoing(r, &exchange{}, afterwards).WithContext(context.Background())
	out.Body = io.NopCloser(bytes.NewReader(body))
	if answer, err := p.transport.RoundTrip(out); err == nil {
		answer.Body.Close()
	}
}

// forward asks the engine and passes its answer on.
func (p *faultProxy) forward(w http.ResponseWriter, r *http.Request, x *exchange, f fault) {
	answer, err := p.transport.RoundTrip(p.outgoing(r, x, f))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	if f == dropAnswer || f == late {
		p.withhold(r, answer, f)
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		p.splice(w, answer, f)
		return
	}
	maps.Copy(w.Header(), answer.Header)
	if f == cutJSON || f == cutTrailer {
		w.Header().Del("Content-Length")
	}
	w.WriteHeader(answer.StatusCode)
	out := flushWriter{w, http.NewResponseController(w)}
	out.control.Flush() // a wait's header must arrive before its body
	if f == cancelAfter && endless(r) {
		p.fire()
		p.cancel()
	}
	if f == cutDown || f == cutJSON || f == cutTrailer {
		p.cutBody(out, answer.Body, f)
		return
	}
	n, _ := io.Copy(out, answer.Body)
	p.mu.Lock()
	x.down = n
	p.mu.Unlock()
	if f == cancelAfter {
		p.fire()
		p.cancel()
	}
}

// outgoing is the request to the engine.
func (p *faultProxy) outgoing(r *http.Request, x *exchange, f fault) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", "engine", ""
	switch {
	case f == cutUp:
		out.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, p.up/2), cutReader{p.fire}))
	case r.ContentLength != 0:
		out.Body = countedBody{r.Body, func(n int) {
			p.mu.Lock()
			defer p.mu.Unlock()
			x.up += int64(n)
		}}
	}
	return out
}

// withhold lets the engine do its work, and then drops or delays the answer. Of
// an answer that lasts as long as the job the header must do.
func (p *faultProxy) withhold(r *http.Request, answer *http.Response, f fault) {
	if !endless(r) {
		whole, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		answer.Body = io.NopCloser(bytes.NewReader(whole))
	}
	p.fire()
	if f == dropAnswer {
		panic(http.ErrAbortHandler)
	}
	p.hold(r)
}

// cutBody passes on a part of an answer. The connection is closed after it, or
// the answer ends as if it were complete.
func (p *faultProxy) cutBody(w io.Writer, body io.Reader, f fault) {
	whole, _ := io.ReadAll(body)
	part := whole[:len(whole)/2]
	if f == cutTrailer {
		part = whole[:max(0, len(whole)-archive.Trailer)]
	}
	w.Write(part)
	p.fire()
	if f == cutDown {
		panic(http.ErrAbortHandler)
	}
}

type flushWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w flushWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.control.Flush()
	return n, err
}

// endless tells whether an answer's body lasts as long as the job.
func endless(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/wait") || strings.HasSuffix(r.URL.Path, "/attach")
}

var errCut = errors.New("cut by the fault proxy")

// cutReader fails where a body is cut.
type cutReader struct{ cut func() }

func (c cutReader) Read([]byte) (int, error) {
	c.cut()
	return 0, errCut
}

// countedBody counts what a client sends.
type countedBody struct {
	io.ReadCloser
	add func(int)
}

func (c countedBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.add(n)
	return n, err
}
