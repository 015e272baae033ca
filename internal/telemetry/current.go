package telemetry

import (
	"context"
	"sync/atomic"
)

// current is a run's context, in which every value is that of the step under way. So a request
// that any goroutine of the run makes has the step's span above it.
type current struct {
	context.Context                                 // the run's
	run             context.Context                 // the same
	now             atomic.Pointer[context.Context] // that of the step
}

func (c *current) Value(key any) any { return (*c.now.Load()).Value(key) }
