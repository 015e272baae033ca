package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"net/rpc/jsonrpc"
	"reflect"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/egress/internal/policy"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/cleanup"
	"github.com/synchestra-io/sandbox/internal/discover"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// Gateway is a proxy that runs on an engine, for any number of runs there. It is safe for
// concurrent use.
type Gateway struct {
	client *dockerx.Client
	engine dockerx.Engine
	image  dockerx.Image
	id     string
	labels map[string]string
	undo   cleanup.Teardown

	stream *dockerx.Attachment
	orders *rpc.Client
	said   tail          // what the proxy says of its troubles
	ended  chan struct{} // closed when the proxy's output has ended

	life  context.Context // of joins
	end   context.CancelCauseFunc
	close func() error

	mu     sync.Mutex
	joined map[*Access]bool
	runs   int // that have joined, or are about to
	closed bool
	active sync.WaitGroup // joins and leaves
}

// maxRuns bounds the accesses of a gateway at a time. The proxy may have 4096 descriptors; each
// access takes up to 64 for clients, twice as many for servers while it asks for their
// addresses, and two more.
const maxRuns = 20

// Open starts a proxy, which lasts until Close. The image must be there. When ctx ends, it returns
// within 35 seconds, and what it made is removed.
//
// The gateway needs Docker, with the runtime runc and without SELinux: with Podman, where the
// engine's default is another runtime, and with dockerd --selinux-enabled, the error wraps
// [ErrUnsupported].
func Open(ctx context.Context, o Options) (g *Gateway, err error) {
	p, err := o.policy()
	if err != nil {
		return nil, err
	}
	where, err := discover.Find(discover.Request{Host: o.Host, Context: o.Context})
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	client, err := dockerx.New(dockerx.Address{Host: where.Host, TLS: where.TLS, Fixed: where.Context})
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	g = &Gateway{client: client, id: owner.NewID(ctx), ended: make(chan struct{}), joined: map[*Access]bool{}}
	g.life, g.end = context.WithCancelCause(context.Background())
	limits := bounds.From(ctx)
	g.close = sync.OnceValue(func() error { return g.remove(limits.Ending) })
	owner.Begin(g.id)
	if err := g.open(ctx, o, p, where); err != nil {
		return nil, fmt.Errorf("egress: %w", errors.Join(err, g.close()))
	}
	return g, nil
}

// ErrUnsupported is wrapped if the engine cannot keep what this package promises.
var ErrUnsupported = dockerx.ErrUnsupported

// usualRuntime is the one whose containers share a network namespace as the kernel has it.
const usualRuntime = "runc"

func (g *Gateway) open(ctx context.Context, o Options, p policy.Policy, where discover.Engine) (err error) {
	if g.engine, err = g.client.Connect(ctx); err != nil {
		return where.Explain(err, dockerx.Unreachable(err))
	}
	switch {
	case g.engine.Podman || g.engine.DefaultRuntime != usualRuntime:
		return fmt.Errorf("%w: a gateway needs Docker with %q as its default runtime", ErrUnsupported, usualRuntime)
	case g.engine.SELinux:
		return fmt.Errorf("%w: with SELinux (dockerd --selinux-enabled) one container cannot hand a socket to another", ErrUnsupported)
	}
	ref := cmp.Or(o.Image, DefaultImage)
	g.image, err = g.client.EnsureImage(ctx, dockerx.Want{Ref: ref, Policy: dockerx.PullNever}, g.engine)
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("the engine has no image %q; make it with make egress-image, or with docker build as README says: %w", ref, err)
	}
	if err != nil {
		return err
	}
	g.labels = labelsOf(g.id)
	check, err := g.makeProxy(ctx)
	if err != nil {
		return err
	}
	if g.stream, err = g.client.Attach(ctx, g.name(), true); err != nil {
		return err
	}
	answers := newInbox()
	go func() { // until the stream ends; remove waits for it
		defer close(g.ended)
		answers.end(g.stream.Demultiplex(answers, &g.said))
	}()
	g.orders = rpc.NewClientWithCodec(jsonrpc.NewClientCodec(ordersStream{answers, g.stream}))
	if err := g.client.Start(ctx, g.name(), check); err != nil {
		return err
	}
	understood, err := order[policy.Policy](ctx, g, "Begin", p)
	if err == nil && !reflect.DeepEqual(understood, p) {
		return fmt.Errorf("the image %q is of another version than this package; make it again", ref)
	}
	return err
}

// Close ends the access of all runs, and removes the proxy. It returns within 65 seconds, whatever
// the engine does. The error names what may be left, which a [sandbox.Runner.Sweep] removes that
// can see that this process has ended: on Linux, on the same machine, before it starts again, and
// in the same PID namespace. Close may be called more than once.
func (g *Gateway) Close() error {
	if err := g.close(); err != nil {
		return fmt.Errorf("egress: %w", err)
	}
	return nil
}

// enter counts a join or a leave, unless the gateway is closed.
func (g *Gateway) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.active.Add(1)
	}
	return !g.closed
}

// remove ends the joins that are under way, and removes everything.
func (g *Gateway) remove(bound time.Duration) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.end(ErrClosed)
	g.active.Wait()
	defer g.client.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), bound, fmt.Errorf("not removed within %v", bound))
	defer cancel()
	var asked sync.WaitGroup
	for a := range g.joined { // nobody changes it any more
		asked.Go(func() { a.finish(ctx) })
	}
	asked.Wait()
	err := g.undo.Run(ctx)
	for a := range g.joined {
		owner.End(a.id)
	}
	owner.End(g.id)
	if g.stream != nil {
		g.stream.Close()
		<-g.ended
		g.orders.Close()
	}
	return err
}
