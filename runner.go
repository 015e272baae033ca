package sandbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// Options configures a Runner. The zero value is ready to use.
type Options struct {
	// Host is the engine's address, such as "unix:///run/docker.sock" or
	// "tcp://10.0.0.7:2376"; "" = DOCKER_HOST, or the local socket if that is not
	// set. DOCKER_TLS_VERIFY, DOCKER_CERT_PATH and DOCKER_API_VERSION apply in
	// either case.
	Host string
	// Runtime is the OCI runtime that runs the commands, by the engine's name for
	// it, such as "runsc" for gVisor; "" = the engine's default. A job fails with
	// ErrUnsupported if the engine does not know the runtime, or if the runtime
	// would not enforce one of the job's limits. gVisor applies the seccomp profile
	// only if the engine starts it with --oci-seccomp.
	Runtime string
}

// Runner runs jobs on the engine at one address and keeps the connections to it. Create
// it with [New]; the zero value is not usable. It is safe for concurrent use. A program
// that runs a single job does not need one: see the function [RunOnce].
type Runner struct {
	client  *dockerx.Client
	runtime string

	asking chan struct{}   // held while known is read or asked for
	known  *dockerx.Engine // nil until the engine has answered; see dockerx.Client.Connected

	over sync.Map // runs that have ended, by their IDs, which a Sweep could not remove completely

	mu     sync.Mutex    // orders enter and Close; guards ending
	ending time.Duration // of the call that can take longest after Close
	life   context.Context
	end    context.CancelCauseFunc
	active sync.WaitGroup
}

// New returns a Runner for the engine that o and the environment select. It does
// no I/O except to read the certificates in DOCKER_CERT_PATH; the first call of
// another method connects to the engine. The caller must close the Runner.
//
// An error has Op [OpValidate] if o.Host is set or o.Runtime is invalid, and Op
// [OpPull] if the environment is invalid.
func New(o Options) (*Runner, error) {
	if why := validate.NotText(o.Runtime); why != "" {
		return nil, &Error{Op: OpValidate, Err: fmt.Errorf("Options.Runtime %q %s", o.Runtime, why)}
	}
	client, err := dockerx.New(o.Host)
	if err != nil && o.Host != "" {
		return nil, &Error{Op: OpValidate, Err: fmt.Errorf("Options.Host: %w", err)}
	}
	if err != nil {
		return nil, &Error{Op: OpPull, Err: err}
	}
	r := &Runner{client: client, runtime: o.Runtime, asking: make(chan struct{}, 1)}
	r.life, r.end = context.WithCancelCause(context.Background())
	return r, nil
}

// Close ends all runs and sweeps in progress, which then report [ErrClosed], and
// waits until they have cleaned up. If that takes longer than 30 seconds, Close
// returns an error that wraps [ErrCleanup]. Other methods return ErrClosed after
// Close. Close may be called more than once.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.end(ErrClosed)
	bound, used := r.ending, r.ending > 0
	r.mu.Unlock()
	if !used {
		r.client.Close()
		return nil
	}
	idle := make(chan struct{})
	go func() { // ends with the last run, which is bounded
		r.active.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		r.client.Close()
		return nil
	case <-time.After(bound):
		late := fmt.Errorf("%w: a run did not end within %v of Close", ErrCleanup, bound)
		return &Error{Op: OpCleanup, Err: late}
	}
}

// enter admits a call, unless the Runner is closed. The context that it returns
// ends with Close, too; leave must be called. The call is counted last, since a context
// of the caller's own type can panic.
func (r *Runner) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if ctx == nil {
		return nil, nil, errNilContext
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life.Err() != nil {
		return nil, nil, ErrClosed
	}
	ending := bounds.From(ctx).Return()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.life, func() { cancel(ErrClosed) })
	r.ending = max(r.ending, ending)
	r.active.Add(1)
	return ctx, func() { stop(); cancel(nil); r.active.Done() }, nil
}

var errNilContext = errors.New("ctx is nil; pass context.Background(), or better a context with a deadline")

// connect asks the engine who it is, once for as long as the connection to it lasts: it
// can be another one after that. After a failure the next call asks again.
func (r *Runner) connect(ctx context.Context) (dockerx.Engine, error) {
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return dockerx.Engine{}, context.Cause(ctx)
	}
	if r.known == nil || !r.client.Connected() {
		engine, err := r.client.Connect(ctx)
		if err != nil {
			return dockerx.Engine{}, err
		}
		r.known = &engine
	}
	return *r.known, nil
}
