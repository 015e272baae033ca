package telemetry

import (
	"io"
	"log/slog"
	"testing"
)

// BenchmarkLog is what a logger costs a run.
func BenchmarkLog(b *testing.B) {
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	b.ReportAllocs()
	for b.Loop() {
		_, r := Begin(b.Context(), logger, "id")
		for _, step := range []string{"validate", "pull", "stage", "create", "run", "collect", "cleanup"} {
			r.Step(step)
		}
		r.End(Outcome{})
	}
}
