package sandbox

import (
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// bounds limit every wait that neither Limits.Timeout nor the caller's context
// does. Tests shrink them.
type bounds struct {
	engine  dockerx.Bounds
	stop    time.Duration // from the decision to kill to the confirmed exit
	drain   time.Duration // between the output's end and the exit, either way round
	writer  time.Duration // for a caller's Write after the exit, for all of them after a kill
	slack   time.Duration // by how much the output's end may seem to precede the exit
	oom     time.Duration // for the kernel's report of a kill for memory, after the exit
	reader  time.Duration // for a caller's Read after the upload, or the run, has ended
	settle  time.Duration // how long a create whose answer was lost may still succeed
	cleanup time.Duration // the whole clean-up of a run, and each removal of a Sweep
	grace   time.Duration // for clocks, after the time at which a run must have ended
}

// defaultBounds are generous to a loaded engine: who exceeds them is at fault.
var defaultBounds = bounds{
	engine: dockerx.Bounds{
		Call:  15 * time.Second, // ping, info, inspect, list, attach, registration of a wait, stat
		Slow:  60 * time.Second, // create, start, kill, remove
		Stall: 60 * time.Second, // silence within a pull, an upload, a download
	},
	stop:    30 * time.Second,
	drain:   5 * time.Second,
	writer:  5 * time.Second,
	slack:   500 * time.Millisecond,
	oom:     500 * time.Millisecond,
	reader:  500 * time.Millisecond,
	settle:  2 * time.Second,
	cleanup: 30 * time.Second,
	grace:   5 * time.Minute,
}

// ending is how long a run can still take when its context has ended: a create
// under way, the kill, the rest of the output, the clean-up.
func (b bounds) ending() time.Duration {
	return b.engine.Slow + b.reader + b.stop + b.writer + 2*b.drain + b.cleanup
}
