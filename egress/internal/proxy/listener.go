package proxy

import (
	"io"
	"log"
	"net"
	"sync"
)

var discard = log.New(io.Discard, "", 0)

// limitedListener closes connections at once that are more than it has slots for: the others
// are the same client's.
type limitedListener struct {
	net.Listener
	spent func(bytes int) bool

	mu   sync.Mutex
	open map[*countedConn]struct{}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.count(conn); c != nil {
			shrink(conn)
			return c, nil
		}
		conn.Close()
	}
}

// count counts a connection, unless there is no slot for it.
func (l *limitedListener) count(conn net.Conn) *countedConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == maxConnections {
		return nil
	}
	c := &countedConn{Conn: conn, listener: l}
	l.open[c] = struct{}{}
	return c
}

// closeAll closes all connections, also those that an HTTP server does not know any more.
func (l *limitedListener) closeAll() {
	l.mu.Lock()
	open := l.open
	l.open = map[*countedConn]struct{}{}
	l.mu.Unlock()
	for c := range open {
		c.Conn.Close()
	}
}

// countedConn counts what goes both ways, and ends when its access has had its share.
type countedConn struct {
	net.Conn
	listener *limitedListener
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.listener.spent(n) {
		return n, errSpent
	}
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	if c.listener.spent(len(p)) {
		return 0, errSpent
	}
	return c.Conn.Write(p)
}

func (c *countedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(*net.TCPConn); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *countedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.open, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// serverConn has one of the slots for servers. What it carries counts, too: not all of it reaches
// the client.
type serverConn struct {
	net.Conn
	listener *limitedListener
	free     func()
}

func (c serverConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.listener.spent(n) {
		return n, errSpent
	}
	return n, err
}

func (c serverConn) Write(p []byte) (int, error) {
	if c.listener.spent(len(p)) {
		return 0, errSpent
	}
	return c.Conn.Write(p)
}

func (c serverConn) CloseWrite() error { return closeWrite(c.Conn) }

func (c serverConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

func shrink(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetReadBuffer(socketBuffer)
		tcp.SetWriteBuffer(socketBuffer)
	}
}
