//go:build docker

package sandbox

import (
	"encoding/binary"
	"io"
	"net/http"
)

// splice passes on an attach stream. The engine does not notice that a client
// of a container which never started is gone, so the client's end ends both.
func (p *faultProxy) splice(w http.ResponseWriter, answer *http.Response, f fault) {
	stream := answer.Body
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	answer.Body = nil
	if answer.Write(conn) != nil {
		return
	}
	go func() {
		io.Copy(io.Discard, conn)
		stream.Close()
	}()
	if f == cancelAfter {
		p.fire()
		p.cancel()
	}
	if f.inStream() {
		p.cutStream(conn, stream, f)
	} else {
		io.Copy(conn, stream)
	}
	stream.Close()
}

// cutStream ends the stream where the fault says.
func (p *faultProxy) cutStream(w io.Writer, stream io.Reader, f fault) {
	header := make([]byte, 8)
	for sent := int64(0); f != streamEarly && f != streamQuick; {
		if _, err := io.ReadFull(stream, header); err != nil {
			return
		}
		size := int64(binary.BigEndian.Uint32(header[4:]))
		switch f {
		case streamHeader:
			w.Write(header[:5])
			p.fire()
			return
		case streamFrame:
			w.Write(header)
			io.CopyN(w, stream, size/2)
			p.fire()
			return
		}
		w.Write(header)
		io.CopyN(w, stream, size)
		sent += size
		if f == streamBorder || sent >= p.output {
			break
		}
	}
	p.fire()
}
