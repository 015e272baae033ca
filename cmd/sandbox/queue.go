package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// queue stands between a command's output and whoever reads it, who may pause, as less(1) does, for
// longer than the library waits for a Write. It keeps the order of both streams.
type queue struct {
	mu     sync.Mutex
	pieces []piece
	size   int           // of these, in bytes
	err    error         // of the first Write that failed
	more   chan struct{} // something was put, or it has ended
	less   chan struct{} // something was written
	closed bool
	ended  chan struct{} // closed when all is written
}

type piece struct {
	to    *destination
	bytes []byte
}

// destination is one of the readers. When one is gone, the others get theirs.
type destination struct {
	io.Writer
	err error // of a Write; guarded by the queue's mu
}

// What a queue holds. When it is full, each piece more takes hold, which is less than the library
// waits for; so the command is slowed down, and nothing is lost when it ends by itself.
const (
	queueSize = 16 << 20
	hold      = 4 * time.Second
)

func newQueue() *queue {
	q := &queue{more: make(chan struct{}, 1), less: make(chan struct{}, 1), ended: make(chan struct{})}
	go q.write() // drain waits for it
	return q
}

// to returns a writer to w.
func (q *queue) to(w io.Writer) io.Writer { return queued{q, &destination{Writer: w}} }

type queued struct {
	queue *queue
	to    *destination
}

func (w queued) Write(p []byte) (int, error) {
	q := w.queue
	late := time.After(hold)
	for full := true; full; {
		q.mu.Lock()
		full = q.size >= queueSize && w.to.err == nil
		q.mu.Unlock()
		if full {
			select {
			case <-q.less:
			case <-late:
				full = false
			}
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.to.err != nil {
		return 0, w.to.err
	}
	q.pieces = append(q.pieces, piece{w.to, append([]byte(nil), p...)})
	q.size += len(p)
	wake(q.more)
	return len(p), nil
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write writes what is put, until the queue is closed and empty.
func (q *queue) write() {
	defer close(q.ended)
	for {
		q.mu.Lock()
		pieces, closed := q.pieces, q.closed
		q.pieces = nil
		q.mu.Unlock()
		for _, p := range pieces {
			q.one(p)
		}
		if len(pieces) == 0 {
			if closed {
				return
			}
			<-q.more
		}
	}
}

// one writes a piece, unless its reader is gone.
func (q *queue) one(p piece) {
	q.mu.Lock()
	err := p.to.err
	q.mu.Unlock()
	if err == nil {
		_, err = p.to.Write(p.bytes)
	}
	q.mu.Lock()
	q.size -= len(p.bytes)
	p.to.err, q.err = err, cmp.Or(q.err, err)
	q.mu.Unlock()
	wake(q.less)
}

// parting is how long a reader is waited for after a signal.
const parting = time.Second

// drain waits until all is written, or ctx has ended. Nothing may be put after it.
func (q *queue) drain(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	wake(q.more)
	select {
	case <-q.ended:
	case <-ctx.Done():
		select {
		case <-q.ended:
		case <-time.After(parting):
			return fmt.Errorf("not all of the output was read: %w: %w", ctx.Err(), context.Cause(ctx))
		}
	}
	return q.err
}
