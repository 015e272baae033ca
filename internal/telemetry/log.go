package telemetry

import (
	"log/slog"
	"time"
)

// log writes the line at a run's end, and one more if something may be left. Errors have no
// values of variables and no credentials, see the errors of package sandbox.
func (r *Run) log(o Outcome, took time.Duration) {
	ctx := r.context()
	attrs := []slog.Attr{
		slog.String("run", r.id), slog.String("image", r.image), slog.String("outcome", o.name()), slog.Int("exit", o.Exit),
		slog.Duration("duration", took), r.durations(), slog.Int64("output_bytes", o.Output),
	}
	if o.Dropped > 0 {
		attrs = append(attrs, slog.Int64("dropped_bytes", o.Dropped))
	}
	if o.Artifacts > 0 {
		attrs = append(attrs, slog.Int("artifacts", o.Artifacts))
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("step", o.Step), slog.String("error", o.Err.Error()))
	}
	r.logger.LogAttrs(ctx, slog.LevelInfo, "sandbox run", attrs...)
	if o.Left {
		r.logger.LogAttrs(ctx, slog.LevelWarn, "sandbox run may have left something", slog.String("run", r.id), slog.String("error", o.Err.Error()))
	}
}

// durations are those of the steps.
func (r *Run) durations() slog.Attr {
	var attrs []slog.Attr
	for _, s := range r.steps {
		attrs = append(attrs, slog.Duration(s.name, s.took))
	}
	return slog.Attr{Key: "steps", Value: slog.GroupValue(attrs...)}
}
