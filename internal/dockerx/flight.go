package dockerx

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

// flight is a pull that is under way, for everybody who waits for the same image.
type flight struct {
	done   chan struct{}
	err    error // when done
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting map[chan Progress]bool
}

// flights are this process's pulls, by what is pulled and from where.
var flights = struct {
	sync.Mutex
	by map[flightKey]*flight
}{by: map[flightKey]*flight{}}

type flightKey struct{ engine, ref, platform, login string }

// share runs do, or waits for the one that is under way for the same key. It returns when
// ctx ends; do is cut off when nobody waits for it any more. What it reports is passed
// on in the caller's own goroutine, as fast as report takes it; if that is too slow,
// reports are left out.
func share(ctx context.Context, key flightKey, report func(Progress), do func(context.Context, func(Progress)) error) error {
	reports := make(chan Progress, 64)
	f := board(ctx, key, reports, do)
	defer f.leave(key, reports)
	for {
		select {
		case p := <-reports:
			report(p)
		case <-f.done:
			for len(reports) > 0 {
				report(<-reports)
			}
			return f.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func board(ctx context.Context, key flightKey, reports chan Progress, do func(context.Context, func(Progress)) error) *flight {
	flights.Lock()
	defer flights.Unlock()
	if f := flights.by[key]; f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.waiting[reports] = true
		return f
	}
	// No value of this caller's context concerns the others, but for the span that the requests
	// belong to.
	life := trace.ContextWithSpan(bounds.With(context.Background(), bounds.From(ctx)), trace.SpanFromContext(ctx))
	life, cancel := context.WithCancel(life)
	f := &flight{done: make(chan struct{}), cancel: cancel, waiting: map[chan Progress]bool{reports: true}}
	flights.by[key] = f
	go f.fly(life, key, do)
	return f
}

func (f *flight) fly(life context.Context, key flightKey, do func(context.Context, func(Progress)) error) {
	err := guarded(func() error { return do(life, f.report) })
	flights.Lock()
	defer flights.Unlock()
	if flights.by[key] == f {
		delete(flights.by, key)
	}
	f.err = err
	close(f.done)
}

// guarded makes an error of a panic: the goroutine is nobody's.
func guarded(do func() error) (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("the pull panicked: %v", why)
		}
	}()
	return do()
}

func (f *flight) report(p Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for reports := range maps.Keys(f.waiting) {
		select {
		case reports <- p:
		default:
		}
	}
}

// leave ends the flight if nobody else waits for it. Nobody boards it any more then, and
// the last one waits for its end.
func (f *flight) leave(key flightKey, reports chan Progress) {
	flights.Lock()
	f.mu.Lock()
	delete(f.waiting, reports)
	last := len(f.waiting) == 0
	f.mu.Unlock()
	if last && flights.by[key] == f {
		delete(flights.by, key)
	}
	flights.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}
