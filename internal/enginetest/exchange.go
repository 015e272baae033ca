package enginetest

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"

	"github.com/synchestra-io/sandbox/internal/owner"
)

// Exchange is a request and its answer. A handler of a Proxy calls Forward, or
// Ask and PassOn, or neither: then the client gets what is in Writer.
type Exchange struct {
	Text    string // method and path as they are for every run, such as "POST /containers/job/start"
	Name    string // of the container that a request creates, such as "job-stage"
	Nth     int    // of the requests with this text so far, from 0
	Proxy   *Proxy
	Request *http.Request // may be changed before Ask
	Writer  http.ResponseWriter
	// Copy, if set, passes on the body of an answer, or the output of a stream,
	// when its header has been sent. See (*Exchange).CopyBody.
	Copy func(w io.Writer, body io.Reader)

	answer   *http.Response
	up, down int64 // guarded by Proxy.mu
}

// record begins an exchange, unless the proxy is closed.
func (p *Proxy) record(w http.ResponseWriter, r *http.Request) (_ *Exchange, ok bool) {
	x := &Exchange{Text: requestText(r), Name: runName.ReplaceAllString(r.URL.Query().Get("name"), "job"), Proxy: p, Request: r, Writer: w}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	p.handlers.Add(1)
	for _, before := range p.exchanges {
		if before.Text == x.Text {
			x.Nth++
		}
	}
	p.exchanges = append(p.exchanges, x)
	return x, true
}

// requestText is a request without what differs from run to run: the version of
// the API, the run's ID, the image.
func requestText(r *http.Request) string {
	path := apiVersion.ReplaceAllString(r.URL.Path, "/")
	path = runName.ReplaceAllString(path, "job")
	return r.Method + " " + imageName.ReplaceAllString(path, "/images/ref/")
}

var (
	apiVersion = regexp.MustCompile(`^/v1\.\d+/`)
	runName    = regexp.MustCompile(owner.NamePrefix + `[0-9a-f]{32}`)
	imageName  = regexp.MustCompile(`/images/.+/`)
)

// String is Text and Name, such as "POST /containers/create job-stage".
func (x *Exchange) String() string { return strings.TrimSpace(x.Text + " " + x.Name) }

// LastsAsLongAsTheJob tells whether the body of the answer does.
func (x *Exchange) LastsAsLongAsTheJob() bool {
	return strings.HasSuffix(x.Text, "/wait") || strings.HasSuffix(x.Text, "/attach")
}

// Forward asks the engine and passes on its answer.
func (x *Exchange) Forward() { x.PassOn(x.Ask()) }

// Ask sends the request to the engine and returns its answer. If there is none, the
// client gets none either.
func (x *Exchange) Ask() *http.Response {
	out := x.Request.Clone(x.Request.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", "engine", ""
	if out.ContentLength != 0 {
		out.Body = &countedBody{out.Body, x, &x.up}
	}
	answer, err := x.Proxy.transport.RoundTrip(out)
	if err != nil {
		x.Drop()
	}
	x.answer = answer
	return answer
}

// AskToTheEnd is Ask, and waits until the engine has sent all of its answer, so that
// its work is done. Of an answer that lasts as long as the job the header must do.
func (x *Exchange) AskToTheEnd() *http.Response {
	answer := x.Ask()
	if x.LastsAsLongAsTheJob() {
		return answer
	}
	whole, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		x.Drop()
	}
	answer.Body = io.NopCloser(bytes.NewReader(whole))
	return answer
}

// PassOn sends an answer to the client.
func (x *Exchange) PassOn(answer *http.Response) {
	if answer.StatusCode == http.StatusSwitchingProtocols {
		x.passOnStream(answer)
		return
	}
	maps.Copy(x.Writer.Header(), answer.Header)
	x.Writer.WriteHeader(answer.StatusCode)
	out := flusher{x.Writer, http.NewResponseController(x.Writer)}
	out.control.Flush() // a wait's header must arrive before its body
	x.copy(out, &countedBody{answer.Body, x, &x.down})
}

// passOnStream passes on what either side of a stream sends. The engine does not
// notice that the client of a container which never started is gone, so the
// client's end ends both.
func (x *Exchange) passOnStream(answer *http.Response) {
	client, buffered, err := http.NewResponseController(x.Writer).Hijack()
	if err != nil {
		return
	}
	engine := answer.Body.(stream)
	inputEnded := make(chan struct{})
	defer func() { client.Close(); engine.Close(); <-inputEnded }()
	go func() {
		defer close(inputEnded)
		passOnInput(engine, buffered.Reader)
	}()
	header := *answer
	header.Body = nil
	if header.Write(client) == nil {
		x.copy(client, engine)
	}
}

// stream is the body of an answer that switches protocols.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// passOnInput also passes on the input's end. A client that ends it without having
// sent anything hangs up.
func passOnInput(engine stream, client *bufio.Reader) {
	if n, _ := io.Copy(engine, client); n > 0 {
		engine.CloseWrite()
	} else {
		engine.Close()
	}
}

func (x *Exchange) copy(w io.Writer, body io.Reader) {
	if x.Copy != nil {
		x.Copy(w, body)
	} else {
		x.CopyBody(w, body)
	}
}

// CopyBody copies to the end. If either side breaks, so does the other.
func (x *Exchange) CopyBody(w io.Writer, body io.Reader) {
	if _, err := io.Copy(w, body); err != nil {
		x.Drop()
	}
}

// Drop closes the client's connection, and ends the handler.
func (x *Exchange) Drop() { panic(http.ErrAbortHandler) }

// Hold returns when the client has hung up, or after Proxy.Release.
func (x *Exchange) Hold() {
	select {
	case <-x.Request.Context().Done():
	case <-x.Proxy.released:
	}
}

func (x *Exchange) end() {
	if x.answer != nil {
		x.answer.Body.Close()
	}
}

// flusher sends at once what is written to it.
type flusher struct {
	io.Writer
	control *http.ResponseController
}

func (w flusher) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.control.Flush()
	return n, err
}

// countedBody adds the bytes that are read to one of the exchange's counters.
type countedBody struct {
	io.ReadCloser
	x     *Exchange
	count *int64
}

func (c *countedBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.x.Proxy.mu.Lock()
	defer c.x.Proxy.mu.Unlock()
	*c.count += int64(n)
	return n, err
}
