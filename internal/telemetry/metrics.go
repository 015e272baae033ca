package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The instruments. They belong to the provider that is set, also if that happens later.
var (
	meter       = otel.Meter(Scope)
	active, _   = meter.Int64UpDownCounter("sandbox.run.active", metric.WithDescription("Runs that are under way."), metric.WithUnit("{run}"))
	duration, _ = meter.Float64Histogram("sandbox.run.duration", metric.WithDescription("Duration of runs, from their call to their return."),
		metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600))
	leftovers, _ = meter.Int64Counter("sandbox.cleanup.failures", metric.WithDescription("Runs that may have left something on the engine."), metric.WithUnit("{run}"))
)

// count counts a run that has ended.
func count(ctx context.Context, o Outcome, took time.Duration) {
	active.Add(ctx, -1)
	attrs := []attribute.KeyValue{attribute.String("sandbox.outcome", o.name())}
	if o.Step != "" {
		attrs = append(attrs, attribute.String("error.type", o.Step))
	}
	duration.Record(ctx, took.Seconds(), metric.WithAttributes(attrs...))
	if o.Left {
		leftovers.Add(ctx, 1)
	}
}
