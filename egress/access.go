package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/synchestra-io/sandbox/egress/internal/orders"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// Access is one run's way to a gateway: a network namespace of its own, with the proxy in it.
// Two runs with one Access would reach each other.
type Access struct {
	gateway *Gateway
	id      string

	close func() error

	finishing atomic.Bool
	left      chan struct{} // closed when what follows is final
	denied    orders.Denials
	err       error // why that is not known
}

var (
	// ErrClosed is returned by a gateway after Close.
	ErrClosed = errors.New("egress: the gateway is closed")
	// ErrFull is wrapped by the error of a Join that would be one too many.
	ErrFull = errors.New("the gateway is full")
)

// Join makes an access, which lasts until its Close or that of the gateway. When ctx ends, it
// returns within 35 seconds, and what it made is removed. If the error says that something may be
// left, the gateway's Close removes it.
func (g *Gateway) Join(ctx context.Context) (*Access, error) {
	if !g.enter() {
		return nil, ErrClosed
	}
	defer g.active.Done()
	limits := bounds.From(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(g.life, func() { cancel(ErrClosed) })()
	if !g.reserve() {
		return nil, fmt.Errorf("egress: %w: %d runs have joined; open another gateway for more", ErrFull, maxRuns)
	}
	a := &Access{gateway: g, id: owner.NewID(ctx), left: make(chan struct{})}
	a.close = sync.OnceValue(a.leave)
	owner.Begin(a.id)
	if err := a.join(ctx); err != nil {
		return nil, fmt.Errorf("egress: %w", errors.Join(err, a.remove(limits.Ending)))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.joined[a] = true
	return a, nil
}

// reserve counts one more run, if there may be one.
func (g *Gateway) reserve() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs == maxRuns {
		return false
	}
	g.runs++
	return true
}

func (a *Access) join(ctx context.Context) error {
	check, err := a.gateway.makeNamespace(ctx, a.id)
	if err != nil {
		return err
	}
	stream, err := a.gateway.client.Attach(ctx, a.Network(), false)
	if err != nil {
		return err
	}
	var said tail
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	go func() { // until the stream ends
		defer close(ended)
		stream.Demultiplex(io.Discard, &said)
		cancel(fmt.Errorf("the program that holds the network namespace has ended%s", said.text()))
	}()
	defer func() { stream.Close(); <-ended }()
	if err := a.gateway.client.Start(ctx, a.Network(), check); err != nil {
		return err
	}
	_, err = order[struct{}](ctx, a.gateway, "Open", a.id)
	return err
}

// Network is for [sandbox.Setup.Network] or [sandbox.Limits.Network].
func (a *Access) Network() string { return owner.EgressName(a.id) }

// Env are the variables by which programs find the proxy, for [sandbox.Setup.Env] or
// [sandbox.Job.Env]. Each call returns a new map.
func (a *Access) Env() map[string]string { return maps.Clone(environment) }

var environment = func() map[string]string {
	const at, not = "http://" + orders.Address, "localhost,127.0.0.1,::1"
	return map[string]string{
		"HTTP_PROXY": at, "HTTPS_PROXY": at, "NO_PROXY": not, "http_proxy": at, "https_proxy": at, "no_proxy": not,
	}
}()

// Denied returns what the run asked for and was refused, at most 100 targets, and how many
// more denials there were, of others. After Close it returns what there was until then, or why
// that is not known.
func (a *Access) Denied(ctx context.Context) (list []Denial, more int, err error) {
	var got orders.Denials
	select {
	case <-a.left:
		got, err = a.denied, a.err
	default:
		got, err = order[orders.Denials](ctx, a.gateway, "Denied", a.id)
		if err != nil && a.finishing.Load() { // an end that had begun came first
			select {
			case <-a.left:
				got, err = a.denied, a.err
			case <-ctx.Done():
			}
		}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("egress: %w", err)
	}
	for _, d := range got.List {
		list = append(list, Denial(d))
	}
	return list, got.More, nil
}

// Close ends all connections of the run, and the proxy's part in its network namespace, which ends
// with the run: close the access after it. Denied can still be called. Close may be called more than once.
func (a *Access) Close() error { return a.close() }

// leave is Close. The gateway's own does the same for all.
func (a *Access) leave() error {
	g := a.gateway
	if !g.enter() {
		return g.Close()
	}
	defer g.active.Done()
	g.mu.Lock()
	delete(g.joined, a)
	g.mu.Unlock()
	if err := a.remove(bounds.Default().Ending); err != nil {
		return fmt.Errorf("egress: %w", err)
	}
	return nil
}

// remove ends the access, and removes its container.
func (a *Access) remove(bound time.Duration) error {
	g := a.gateway
	defer owner.End(a.id)
	defer func() {
		g.mu.Lock()
		g.runs--
		g.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeoutCause(context.Background(), bound, fmt.Errorf("not removed within %v", bound))
	defer cancel()
	a.finish(ctx)
	return g.undo.Remove(ctx, cleanup.Container, a.Network())
}

// finishTime bounds what the proxy is asked at the end of an access. With the container it ends
// in any case.
const finishTime = 3 * time.Second

// finish has the proxy end an access, and notes what was denied. It is called once.
func (a *Access) finish(ctx context.Context) {
	a.finishing.Store(true)
	ctx, cancel := context.WithTimeoutCause(ctx, finishTime, fmt.Errorf("no answer within %v", finishTime))
	defer cancel()
	a.denied, a.err = order[orders.Denials](ctx, a.gateway, "Close", a.id)
	close(a.left)
}
