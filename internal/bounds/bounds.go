// Package bounds has the bound of every wait that neither the job's timeout nor
// the caller's context limits.
package bounds

import (
	"context"
	"time"
)

// Bounds limit the waits of a run. They are read from its context once, by
// [From], so that a test can give a run of its own others: see [With].
type Bounds struct {
	// Of single calls to the engine.
	Call  time.Duration // ping, info, inspect, list, attach, registration of a wait, stat
	Slow  time.Duration // create, start, kill, remove
	Stall time.Duration // silence within a pull, an upload, a download
	Rest  time.Duration // for a create under way when the context ends

	Ending time.Duration // from what cuts a run off to the end of its clean-up; each removal of a Sweep
	Margin time.Duration // what a busy machine may add to the ending
	Drain  time.Duration // between the output's end and the exit, either way round
	Writer time.Duration // for a caller's Write after the exit, for all of them after a kill
	OOM    time.Duration // for the kernel's report of a kill for memory, after the exit
	Settle time.Duration // how long a create whose answer was lost may still succeed
	Grace  time.Duration // for clocks, after the time at which a run must have ended
}

// Default returns the bounds of a context that has no others. They are generous
// to a loaded engine: one that exceeds them is at fault.
func Default() Bounds {
	return Bounds{
		Call:   15 * time.Second,
		Slow:   60 * time.Second,
		Stall:  60 * time.Second,
		Rest:   5 * time.Second,
		Ending: 27 * time.Second,
		Margin: 3 * time.Second,
		Drain:  5 * time.Second,
		Writer: 5 * time.Second,
		OOM:    500 * time.Millisecond,
		Settle: 2 * time.Second,
		Grace:  5 * time.Minute,
	}
}

// Return is how soon after the end of its context a run has returned.
func (b Bounds) Return() time.Duration { return b.Ending + b.Margin }

type key struct{}

// With returns a context whose runs and engine calls have the bounds b.
func With(ctx context.Context, b Bounds) context.Context { return context.WithValue(ctx, key{}, b) }

// From returns the bounds of a context.
func From(ctx context.Context) Bounds {
	if b, ok := ctx.Value(key{}).(Bounds); ok {
		return b
	}
	return Default()
}
