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

	Stop    time.Duration // from the decision to kill to the confirmed exit
	Drain   time.Duration // between the output's end and the exit, either way round
	Writer  time.Duration // for a caller's Write after the exit, for all of them after a kill
	Slack   time.Duration // by how much the output's end may seem to precede the exit
	OOM     time.Duration // for the kernel's report of a kill for memory, after the exit
	Settle  time.Duration // how long a create whose answer was lost may still succeed
	Cleanup time.Duration // the whole clean-up of a run, and each removal of a Sweep
	Grace   time.Duration // for clocks, after the time at which a run must have ended
}

// Default returns the bounds of a context that has no others. They are generous
// to a loaded engine: one that exceeds them is at fault.
func Default() Bounds {
	return Bounds{
		Call:    15 * time.Second,
		Slow:    60 * time.Second,
		Stall:   60 * time.Second,
		Stop:    30 * time.Second,
		Drain:   5 * time.Second,
		Writer:  5 * time.Second,
		Slack:   500 * time.Millisecond,
		OOM:     500 * time.Millisecond,
		Settle:  2 * time.Second,
		Cleanup: 30 * time.Second,
		Grace:   5 * time.Minute,
	}
}

// Ending is how long a run can still take when its context has ended: a create
// under way, the kill, the rest of the output, the clean-up.
func (b Bounds) Ending() time.Duration {
	return b.Slow + b.Stop + b.Writer + 2*b.Drain + b.Cleanup
}

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
