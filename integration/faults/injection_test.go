//go:build docker

package faults_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// injection is a handler of a proxy that injects one fault into one run.
type injection struct {
	text   string             // of the request with the fault, "" = none
	nth    int                // of those with this text; a busy engine can be asked some things once more
	fault  fault              // what happens to it
	up     int64              // length of its body
	output int64              // bytes of output in the whole run
	cancel context.CancelFunc // ends the caller's context

	fired atomic.Bool
	mute  atomic.Bool // nothing is answered any more
}

// page is the answer of a web server that runs in the engine's place.
const page = "<html><body>Welcome!</body></html>"

func (in *injection) fire() { in.fired.Store(true) }

// handle forwards every request but the one with the fault.
func (in *injection) handle(x *enginetest.Exchange) {
	if x.Text != in.text || x.Nth != in.nth {
		if in.mute.Load() {
			x.Hold()
			return
		}
		x.Forward()
		return
	}
	switch in.fault {
	case refuse, html, html404, reset, gone:
		in.answerInItsPlace(x)
	case never:
		in.fire()
		x.Hold()
	case afterwards:
		in.forwardLater(x)
	case cancelBefore, cancelNever, cancelMute:
		in.mute.Store(in.fault == cancelMute)
		in.fire()
		in.cancel()
		if in.fault == cancelBefore {
			x.Forward()
		} else {
			x.Hold()
		}
	case held:
		in.fire()
		<-time.After(holdTime)
		x.Forward()
	case cutUp:
		half := io.LimitReader(x.Request.Body, in.up/2)
		x.Request.Body = io.NopCloser(io.MultiReader(half, cutReader{in.fire}))
		x.Forward()
	default:
		in.breakTheAnswer(x)
	}
}

// answerInItsPlace keeps a request from the engine.
func (in *injection) answerInItsPlace(x *enginetest.Exchange) {
	switch in.fault {
	case refuse:
		in.fire()
		http.Error(x.Writer, `{"message":"refused by the fault proxy"}`, http.StatusInternalServerError)
	case html, html404:
		in.fire()
		io.Copy(io.Discard, x.Request.Body)
		x.Writer.Header().Set("Content-Type", "text/html; charset=utf-8")
		if in.fault == html404 {
			x.Writer.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(x.Writer, page)
	case reset:
		io.CopyN(io.Discard, x.Request.Body, in.up/2)
		in.fire()
		x.Drop() // closed with bytes unread, a socket is reset
	case gone:
		in.fire()
		x.Proxy.Vanish()
	}
}

// forwardLater sends a request to the engine after its sender has hung up.
func (in *injection) forwardLater(x *enginetest.Exchange) {
	body, _ := io.ReadAll(x.Request.Body) // what arrived is sent on
	in.fire()
	x.Hold()
	x.Request = x.Request.WithContext(context.Background())
	x.Request.Body = io.NopCloser(bytes.NewReader(body))
	x.Ask()
}

// breakTheAnswer lets the engine do its work, and then breaks its answer.
func (in *injection) breakTheAnswer(x *enginetest.Exchange) {
	switch in.fault {
	case dropAnswer:
		x.AskToTheEnd()
		in.fire()
		x.Drop()
	case late:
		answer := x.AskToTheEnd()
		in.fire()
		x.Hold()
		x.PassOn(answer)
	case cancelAfter:
		in.cancelAfter(x)
	case cutDown, cutJSON, cutTrailer:
		answer := x.Ask()
		if in.fault != cutDown {
			answer.Header.Del("Content-Length")
		}
		x.Copy = in.cutBody
		x.PassOn(answer)
	default:
		x.Copy = in.cutStream
		x.Forward()
	}
}

// cancelAfter ends the caller's context after the answer, or after the header of an
// answer that lasts as long as the job.
func (in *injection) cancelAfter(x *enginetest.Exchange) {
	x.Copy = func(w io.Writer, body io.Reader) {
		in.fire()
		if x.LastsAsLongAsTheJob() {
			in.cancel()
		}
		x.CopyBody(w, body)
		in.cancel()
	}
	x.Forward()
}

// trailerSize is the length of a tar's trailer.
const trailerSize = 2 * 512

// cutBody passes on a part of an answer. Then the connection is closed, or the
// answer ends as if it were complete.
func (in *injection) cutBody(w io.Writer, body io.Reader) {
	whole, _ := io.ReadAll(body) // an answer that is cut already is cut again
	part := whole[:len(whole)/2]
	if in.fault == cutTrailer {
		part = whole[:max(0, len(whole)-trailerSize)]
	}
	w.Write(part)
	in.fire()
	if in.fault == cutDown {
		panic(http.ErrAbortHandler)
	}
}

// cutStream ends the output stream at the position that the fault names.
func (in *injection) cutStream(w io.Writer, output io.Reader) {
	header := make([]byte, 8)
	for sent := int64(0); in.fault != streamEarly && in.fault != streamQuick; {
		if _, err := io.ReadFull(output, header); err != nil {
			return
		}
		size := int64(binary.BigEndian.Uint32(header[4:]))
		switch in.fault {
		case streamHeader:
			w.Write(header[:5])
			in.fire()
			return
		case streamFrame:
			w.Write(header)
			io.CopyN(w, output, size/2)
			in.fire()
			return
		}
		w.Write(header)
		io.CopyN(w, output, size)
		sent += size
		if in.fault == streamBorder || sent >= in.output {
			break
		}
	}
	in.fire()
}

var errCut = errors.New("cut by the fault proxy")

// cutReader fails at the position where a body is cut.
type cutReader struct{ cut func() }

func (c cutReader) Read([]byte) (int, error) {
	c.cut()
	return 0, errCut
}
