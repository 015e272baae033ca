package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// maxHello is more than any client's first message has.
const maxHello = 64 << 10

// readHello reads the first message of a TLS client, and returns what was read, and the name
// of the server in it, in small letters; "" = it has none. It is crypto/tls that reads it. Errors
// do not differ from one connection to the next.
func readHello(r io.Reader) (read []byte, name string, err error) {
	var seen bytes.Buffer
	found := false
	config := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		found, name = true, strings.ToLower(h.ServerName)
		return nil, errSeen
	}}
	from := io.TeeReader(io.LimitReader(r, maxHello), &seen)
	err = tls.Server(readOnly{from}, config).Handshake()
	switch {
	case found && seen.Bytes()[0] == handshake: // and no alert before it
		return seen.Bytes(), name, nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(net.Error)):
		return seen.Bytes(), "", errors.New("it ended early")
	}
	return seen.Bytes(), "", errors.New("it is not TLS")
}

// handshake is the type of a TLS record (RFC 8446, section 5.1).
const handshake = 22

var errSeen = errors.New("seen")

// readOnly is a connection that only reads: no answer goes to the client.
type readOnly struct{ io.Reader }

func (readOnly) Write(p []byte) (int, error)      { return len(p), nil }
func (readOnly) Close() error                     { return nil }
func (readOnly) LocalAddr() net.Addr              { return nil }
func (readOnly) RemoteAddr() net.Addr             { return nil }
func (readOnly) SetDeadline(time.Time) error      { return nil }
func (readOnly) SetReadDeadline(time.Time) error  { return nil }
func (readOnly) SetWriteDeadline(time.Time) error { return nil }
