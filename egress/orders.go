package egress

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"sync"
	"time"

	"github.com/synchestra-io/sandbox/egress/internal/orders"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// order gives an order to the proxy and waits for its answer. The goroutine that waits for
// nothing else ends at the latest with the stream.
func order[Answer any](ctx context.Context, g *Gateway, what string, arg any) (answer Answer, err error) {
	if ctx.Err() != nil {
		return answer, context.Cause(ctx)
	}
	type outcome struct {
		answer Answer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = g.orders.Call(orders.Service+"."+what, arg, &o.answer)
		done <- o
	}()
	bound, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	select {
	case o := <-done:
		if errors.Is(o.err, rpc.ErrShutdown) || errors.Is(o.err, io.ErrUnexpectedEOF) {
			return answer, fmt.Errorf("the proxy has ended%s", g.said.text())
		}
		if o.err != nil {
			err = fmt.Errorf("the proxy: %w%s", o.err, g.said.text())
		}
		return o.answer, err
	case <-g.ended:
		return answer, fmt.Errorf("the proxy has ended%s", g.said.text())
	case <-bound.Done():
		if ctx.Err() != nil {
			return answer, context.Cause(ctx)
		}
		return answer, fmt.Errorf("the proxy does not answer within %v%s", orderTime, g.said.text())
	}
}

// orderTime bounds an order, of which one waits for a namespace.
const orderTime = 30 * time.Second

// ordersStream is how orders go to the proxy and answers come back.
type ordersStream struct {
	*inbox
	to *dockerx.Attachment
}

func (s ordersStream) Write(p []byte) (int, error) { return s.to.Write(p) }

func (s ordersStream) Close() error { s.end(io.ErrClosedPipe); return nil }

// inbox holds what was written until it is read. A Write waits for nobody, as the stream must
// be drained.
type inbox struct {
	mu      sync.Mutex
	changed *sync.Cond
	kept    bytes.Buffer
	err     error // after kept, nil = more may come
}

func newInbox() *inbox {
	i := &inbox{}
	i.changed = sync.NewCond(&i.mu)
	return i
}

// maxInbox is more than the answers about all runs at once, which are 6 MiB.
const maxInbox = 16 << 20

func (i *inbox) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err == nil && i.kept.Len()+len(p) > maxInbox {
		i.err = errors.New("the proxy says too much")
	}
	if i.err == nil {
		i.kept.Write(p)
	}
	i.changed.Broadcast()
	return len(p), nil
}

func (i *inbox) Read(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for i.kept.Len() == 0 && i.err == nil {
		i.changed.Wait()
	}
	if i.kept.Len() == 0 {
		return 0, i.err
	}
	return i.kept.Read(p)
}

// end is the end of what comes; nil is an end without an error.
func (i *inbox) end(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err == nil {
		i.err = cmp.Or(err, io.EOF)
	}
	i.changed.Broadcast()
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailSize = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-tailSize):]
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.kept); len(text) > 0 {
		return fmt.Sprintf("; it says %q", text)
	}
	return ""
}
