package sandbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/discover"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// Runner runs jobs on the engine at one address. It keeps the connections to it and, from
// the first job on network "none" on, a small volume, and a container that never starts, with
// the files in /etc by which such jobs know localhost; it refers to the image of one of them.
// Create it with [New]; the zero value is not usable. It is safe for concurrent
// use. A program that runs a single job does not need one: see the function [RunOnce].
type Runner struct {
	client  *dockerx.Client
	where   discover.Engine
	options Options

	asking chan struct{}   // held while known is read or asked for
	known  *dockerx.Engine // nil until the engine has answered; see dockerx.Client.Connected

	offline *offline // what is kept for network "none"; nil = nothing

	over sync.Map // runs that have ended, by their IDs, which a Sweep could not remove completely

	reporting sync.Mutex // held during Options.Progress

	mu     sync.Mutex    // orders enter and Close; guards ending
	ending time.Duration // of the call that can take longest after Close
	life   context.Context
	end    context.CancelCauseFunc
	active sync.WaitGroup
}

// New returns a Runner for the engine that o and the environment select. It does
// no I/O except to read the docker command's contexts and certificates, and to look for
// local sockets; the first call of another method connects to the engine. The caller
// must close the Runner.
//
// An error has Op [OpValidate] if o is invalid, and Op [OpPull] if the environment or the
// docker command's configuration is.
func New(o Options) (*Runner, error) {
	if err := o.check(); err != nil {
		return nil, &Error{Op: OpValidate, Err: err}
	}
	where, err := discover.Find(discover.Request{Host: o.Host, Context: o.Context})
	var client *dockerx.Client
	if err == nil {
		if client, err = dockerx.New(dockerx.Address{Host: where.Host, TLS: where.TLS, Fixed: where.Context}); err != nil {
			err = fmt.Errorf("%s: %w", where.Origin, err)
		}
	}
	switch {
	case err != nil && (o.Host != "" || o.Context != ""):
		return nil, &Error{Op: OpValidate, Err: err}
	case err != nil:
		return nil, &Error{Op: OpPull, Err: err}
	}
	r := &Runner{client: client, where: where, options: o, asking: make(chan struct{}, 1), offline: newOffline()}
	r.life, r.end = context.WithCancelCause(context.Background())
	return r, nil
}

// Close ends all runs and sweeps in progress, which then report [ErrClosed], and
// waits until they have cleaned up; then it removes what the Runner keeps on the engine.
// If that takes longer than 30 seconds, or fails, Close returns an error that wraps
// [ErrCleanup]. Other methods return ErrClosed after Close. Close may be called more than
// once.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.end(ErrClosed)
	bound, used := r.ending, r.ending > 0
	r.mu.Unlock()
	if !used {
		r.client.Close()
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), bound, fmt.Errorf("Close took longer than %v", bound))
	defer cancel()
	idle := make(chan struct{})
	go func() { // ends with the last run, which is bounded
		r.active.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		defer r.client.Close()
		return r.forget(ctx)
	case <-ctx.Done():
		late := fmt.Errorf("%w: a run did not end within %v of Close", ErrCleanup, bound)
		return &Error{Op: OpCleanup, Err: errors.Join(late, r.forget(ctx))}
	}
}

// forget removes what was kept for the runs. If ctx has ended, it names what may be left.
func (r *Runner) forget(ctx context.Context) error {
	if r.offline == nil {
		return nil
	}
	return joinErrors(nil, nil, nil, r.offline.close(ctx))
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
		ask := r.client.Connect
		if r.offline == nil { // for a single run
			ask = r.client.Recall
		}
		engine, err := ask(ctx)
		if err != nil {
			return dockerx.Engine{}, r.where.Explain(err, dockerx.Unreachable(err))
		}
		r.known = &engine
	}
	return *r.known, nil
}
