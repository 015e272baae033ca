package fleet

import (
	"context"
	"sync/atomic"
	"time"
)

// sweepEvery is how often a worker removes what other processes left on its engine.
const sweepEvery = 5 * time.Minute

// health is whether the worker's engine answers.
type health struct {
	worker *Worker
	ill    atomic.Bool
	asking chan struct{} // has room for the one that asks
}

// sweep asks the engine for what is left on it, and removes that.
func (h *health) sweep(ctx context.Context) error {
	report, err := h.worker.runner.Sweep(ctx)
	if len(report.Removed) > 0 {
		h.worker.options.Logger.WarnContext(ctx, "removed what a killed process left", "objects", report.Removed)
	}
	return err
}

// failed notes that the engine does not answer as it should.
func (h *health) failed() { h.ill.Store(true) }

// wait returns when the engine answers, or ctx has ended.
func (h *health) wait(ctx context.Context) error {
	if !h.ill.Load() {
		return ctx.Err()
	}
	select {
	case h.asking <- struct{}{}: // one asks, the others wait
		defer func() { <-h.asking }()
	case <-ctx.Done():
	}
	for delay := 100 * time.Millisecond; h.ill.Load() && ctx.Err() == nil; delay = min(2*delay, 5*time.Second) {
		if err := h.sweep(ctx); err != nil {
			h.worker.options.Logger.WarnContext(ctx, "no jobs are taken: the engine fails", "error", err)
			pause(ctx, delay)
			continue
		}
		h.ill.Store(false)
	}
	return ctx.Err()
}

// keep sweeps until ctx ends.
func (h *health) keep(ctx context.Context) {
	for {
		if pause(ctx, sweepEvery); ctx.Err() != nil {
			return
		}
		if err := h.sweep(ctx); err != nil && ctx.Err() == nil {
			h.failed()
		}
	}
}
