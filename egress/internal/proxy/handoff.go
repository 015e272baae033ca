package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/synchestra-io/sandbox/egress/internal/orders"
)

// socketName is the socket in the directory that the proxy shares with the namespaces.
const socketName = "proxy"

// handTime bounds how long a namespace may take to hand its listener over.
const handTime = 20 * time.Second

// nameLength is that of a run's ID.
const nameLength = 32

// Join listens in the network namespace in which it is called, hands the listener over to the
// proxy that serves in dir, for the run of that ID, and returns when the proxy has no need of the
// namespace any more. So the proxy has a socket there, and no network: nothing is
// routed from one to the other.
func Join(dir, run string) error {
	var listen net.ListenConfig
	listen.SetMultipathTCP(false) // each connection would be several
	l, err := listen.Listen(context.Background(), "tcp4", orders.Address)
	if err != nil {
		return err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dir, socketName)})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _, err = conn.WriteMsgUnix([]byte(run), syscall.UnixRights(int(file.Fd())), nil)
	if err != nil {
		return err
	}
	file.Close()
	l.Close() // it is the proxy's now
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return err
	}
	return nil
}

// handoffs are the listeners that have come, and have not been asked for.
type handoffs struct {
	mu      sync.Mutex
	arrived map[string]*handoff
	changed chan struct{} // closed when another one arrives
}

// handoff is a listener in the namespace of a run, and the connection that keeps that.
type handoff struct {
	listener net.Listener
	keep     net.Conn
	lost     chan struct{} // closed when the namespace's container has ended
}

func (h *handoff) close() {
	h.listener.Close()
	h.keep.Close()
}

func newHandoffs() *handoffs {
	return &handoffs{arrived: map[string]*handoff{}, changed: make(chan struct{})}
}

// accept takes listeners in a directory until the program ends.
func (h *handoffs) accept(dir string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName)})
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				fmt.Fprintln(os.Stderr, "sandbox-egress:", err)
				time.Sleep(time.Second) // there are no descriptors for the moment
				continue
			}
			go h.keep(conn)
		}
	}()
	return nil
}

// keep takes one listener, and keeps it until its container ends.
func (h *handoffs) keep(conn *net.UnixConn) {
	run, got, err := receive(conn)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox-egress:", err)
		conn.Close()
		return
	}
	h.mu.Lock()
	h.arrived[run] = got
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	io.Copy(io.Discard, conn) // nothing comes
	close(got.lost)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.arrived[run] == got {
		delete(h.arrived, run)
		got.close()
	}
}

// receive takes a listener. Only this program is at the other end.
func receive(conn *net.UnixConn) (run string, got *handoff, err error) {
	conn.SetReadDeadline(time.Now().Add(handTime))
	name, rights := make([]byte, nameLength), make([]byte, syscall.CmsgSpace(4))
	n, m, _, _, err := conn.ReadMsgUnix(name, rights)
	if err != nil {
		return "", nil, err
	}
	conn.SetReadDeadline(time.Time{})
	messages, err := syscall.ParseSocketControlMessage(rights[:m])
	if err != nil || len(messages) != 1 || n != nameLength {
		return "", nil, errors.Join(errors.New("what came is no listener"), err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return "", nil, errors.Join(errors.New("what came is no listener"), err)
	}
	file := os.NewFile(uintptr(fds[0]), "listener")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return "", nil, err
	}
	return string(name), &handoff{l, conn, make(chan struct{})}, nil
}

// take waits for the listener of a run, until it is given up.
func (h *handoffs) take(run string, givenUp <-chan struct{}) (*handoff, error) {
	late := time.After(handTime)
	for {
		h.mu.Lock()
		got, have := h.arrived[run]
		delete(h.arrived, run)
		changed := h.changed
		h.mu.Unlock()
		if have {
			return got, nil
		}
		select {
		case <-changed:
		case <-givenUp:
			return nil, errGivenUp
		case <-late:
			return nil, fmt.Errorf("the network namespace of run %s has not come within %v, or has ended", run, handTime)
		}
	}
}

var errGivenUp = errors.New("the run was given up")
