//go:build docker

// Package telemetry shows how the spans and metrics of runs come to a program's own exporters.
package telemetry

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

// A program sets its providers, and that is all. Each run has a span, below that of its caller,
// and the metrics count it.
func TestExporters(t *testing.T) {
	busybox := enginetest.Busybox() // whose making has spans of its own
	spans, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	traces := trace.NewTracerProvider(trace.WithSyncer(spans))
	metrics := metric.NewMeterProvider(metric.WithReader(reader))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(metrics)
	defer func() {
		require.NoError(t, errors.Join(traces.Shutdown(context.Background()), metrics.Shutdown(context.Background())))
	}()

	ctx, request := otel.Tracer("service").Start(t.Context(), "request")
	for _, j := range []sandbox.Job{
		{Image: busybox, Cmd: []string{"true"}},
		{Image: busybox, Cmd: []string{"false"}},
		{Image: busybox, Cmd: []string{"sleep", "60"}, Limits: sandbox.Limits{Timeout: time.Second}},
		{Image: "127.0.0.1:1/nobody:v1", Cmd: []string{"true"}},
	} {
		sandbox.RunOnce(ctx, j) // the spans tell what came of it
	}
	request.End()

	want := map[string]int{"validate": 4, "pull": 4, "stage": 3, "create": 3, "run": 3, "collect": 3, "cleanup": 4}
	runs, steps, requests := 0, map[string]int{}, 0
	parents := map[string]string{}
	for _, s := range spans.GetSpans() {
		parents[s.SpanContext.SpanID().String()] = s.Name
	}
	for _, s := range spans.GetSpans() {
		require.Equal(t, request.SpanContext().TraceID(), s.SpanContext.TraceID(), s.Name)
		switch parent := parents[s.Parent.SpanID().String()]; parent {
		case "": // the request
		case "request":
			require.Equal(t, "sandbox run", s.Name)
			runs++
		case "sandbox run":
			steps[s.Name]++
		default:
			require.Contains(t, want, parent, s.Name)
			requests++
		}
		require.False(t, s.EndTime.Before(s.StartTime))
	}
	require.Equal(t, 4, runs)
	require.Equal(t, want, steps)
	require.Greater(t, requests, 20)

	var got metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &got))
	outcomes := map[string]uint64{}
	for _, scope := range got.ScopeMetrics {
		if scope.Scope.Name != "github.com/synchestra-io/sandbox" {
			continue // of the requests
		}
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				require.Equal(t, "sandbox.run.duration", m.Name)
				for _, p := range data.DataPoints {
					outcome, _ := p.Attributes.Value(attribute.Key("sandbox.outcome"))
					outcomes[outcome.AsString()] += p.Count
				}
			case metricdata.Sum[int64]:
				require.Equal(t, "sandbox.run.active", m.Name)
				require.Zero(t, data.DataPoints[0].Value, "none is under way")
			}
		}
	}
	require.Equal(t, map[string]uint64{"success": 1, "failure": 1, "timeout": 1, "error": 1}, outcomes)
}
