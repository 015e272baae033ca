package stdio

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// writes makes the Writes of a caller's writers in a goroutine of its own, one at a time, so
// that one that never returns blocks nobody for ever: it can be cut off.
type writes struct {
	next   chan chunk    // to the goroutine
	taken  chan error    // its answer to each
	served chan struct{} // closed when it has ended; nil = it was not begun
	gate   gate          // shut when no Write may begin any more
	cut    chan struct{} // closed after that
	once   sync.Once     // closes cut
	count  atomic.Int64  // Writes that have returned
	buf    []byte        // what the goroutine writes from
}

type chunk struct {
	to    io.Writer
	bytes []byte
}

func newWrites() *writes {
	return &writes{next: make(chan chunk), taken: make(chan error, 1), cut: make(chan struct{})}
}

// begin begins the goroutine. Whoever begins it waits for it.
func (w *writes) begin() {
	w.served = make(chan struct{})
	go w.serve()
}

// put has the goroutine write p, and waits for that until it is cut off, which is errCut.
func (w *writes) put(to io.Writer, p []byte) error {
	w.buf = append(w.buf[:0], p...) // the goroutine may keep it for ever
	select {
	case w.next <- chunk{to, w.buf}:
		select {
		case err := <-w.taken:
			return err
		case <-w.cut:
		}
	case <-w.cut:
	}
	return errCut
}

// errCut is the answer to what came too late to be written.
var errCut = errors.New("cut off")

// serve makes the Writes, and answers each.
func (w *writes) serve() {
	err := ErrGoexit
	defer close(w.served)
	defer func() {
		if err == ErrGoexit {
			w.taken <- err
		}
	}()
	for c := range w.next {
		err = ErrGoexit
		err = w.write(c)
		w.taken <- err
	}
	err = nil
}

func (w *writes) write(c chunk) error {
	if !w.gate.enter() {
		return errCut
	}
	defer w.gate.leave()
	defer w.count.Add(1)
	return writeAll(c.to, c.bytes)
}

// writeAll is a Write by the rules of os/exec: a short one is an error. So is a
// panic: a goroutine that the caller does not know about must not crash its process.
func writeAll(w io.Writer, p []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("Write panicked: %v", r)
		}
	}()
	n, err := w.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// end lets the goroutine end; nothing may be put after it.
func (w *writes) end() { close(w.next) }

// cutOff makes sure that no Write begins any more, and makes put return.
func (w *writes) cutOff() {
	w.once.Do(func() {
		w.gate.close()
		close(w.cut)
	})
}

// wait waits, after end and cutOff, for the goroutine. One that is in a Write of the caller's
// it leaves alone: that may never return.
func (w *writes) wait() {
	if w.served != nil && !w.gate.occupied() {
		<-w.served
	}
}
