package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/synchestra-io/sandbox/internal/spantest"
)

// Without a logger and providers nothing is told, and nothing allocated.
func TestNobodyIsTold(t *testing.T) {
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		same, r := Begin(ctx, nil, "id")
		if same != ctx || r != nil {
			t.Error("somebody is told")
		}
		r.Image("image")
		r.Step("pull")
		r.Failed(nil)
		r.End(Outcome{})
	}))
}

// Which providers are the program's must not be found out wrongly when OpenTelemetry changes.
func TestProvidersOfTheProgram(t *testing.T) {
	require.False(t, set(otel.GetTracerProvider()))
	require.False(t, set(otel.GetMeterProvider()))
	require.True(t, set(noop.NewMeterProvider()))
	require.True(t, set(&spantest.Recorder{}))
}

// Whatever is begun with a run's context is below the step that is under way, in any goroutine.
func TestSpans(t *testing.T) {
	spans := spantest.Record(t)
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	defer cancel()
	ctx, r := Begin(ctx, nil, "id")
	request := func() {
		_, span := otel.Tracer("other").Start(ctx, "request")
		span.End()
	}
	request()
	r.Image("busybox")
	r.Step("pull")
	other := make(chan bool)
	go func() { request(); close(other) }()
	<-other
	r.Step("run")
	request()
	r.Failed(errors.New("lost"))
	r.Step("cleanup")
	r.End(Outcome{Exit: -1, Step: "wait", Err: errors.New("lost")})
	r.End(Outcome{})
	require.Equal(t, "value", ctx.Value(key{}))
	got := map[string]int{}
	for _, s := range spans.All() {
		require.Equal(t, 1, s.Ends, s.Name)
		got[s.Parent+" > "+s.Name+" "+s.Status]++
	}
	require.Equal(t, map[string]int{
		" > sandbox run lost": 1, "sandbox run > request ": 1, "sandbox run > pull ": 1, "pull > request ": 1,
		"sandbox run > run lost": 1, "run > request ": 1, "sandbox run > cleanup ": 1,
	}, got)
	cancel()
	<-ctx.Done()
	require.False(t, trace.SpanFromContext(context.Background()).IsRecording())
}

// A logger gets the caller's context, and its panic leaves no span open.
func TestLoggerOfTheCallers(t *testing.T) {
	spans := spantest.Record(t)
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	var got []any
	logger := slog.New(handlerFunc(func(ctx context.Context) {
		if got = append(got, ctx.Value(key{})); len(got) == 2 {
			panic("no more")
		}
	}))
	_, r := Begin(ctx, logger, "id")
	r.Step("pull")
	r.Step("cleanup")
	require.Panics(t, func() { r.End(Outcome{}) })
	r.End(Outcome{})
	require.Equal(t, []any{"value", "value"}, got)
	require.Len(t, spans.All(), 3)
	for _, s := range spans.All() {
		require.Equal(t, 1, s.Ends, s.Name)
	}
}

// handlerFunc is a handler of a logger.
type handlerFunc func(context.Context)

func (f handlerFunc) Enabled(context.Context, slog.Level) bool        { return true }
func (f handlerFunc) Handle(ctx context.Context, _ slog.Record) error { f(ctx); return nil }
func (f handlerFunc) WithAttrs([]slog.Attr) slog.Handler              { return f }
func (f handlerFunc) WithGroup(string) slog.Handler                   { return f }

func TestLog(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			return slog.String(a.Key, "some")
		}
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	_, r := Begin(t.Context(), logger, "id")
	r.Image("busybox")
	r.Step("pull")
	r.Step("cleanup")
	r.End(Outcome{Exit: -1, Step: "pull", Err: errors.New("no such image"), Left: true, Output: 10, Dropped: 3})
	require.Equal(t, `level=DEBUG msg="sandbox step" run=id step=pull duration=some
level=DEBUG msg="sandbox step" run=id step=cleanup duration=some
level=INFO msg="sandbox run" run=id image=busybox outcome=error exit=-1 duration=some steps.pull=some steps.cleanup=some output_bytes=10 dropped_bytes=3 step=pull error="no such image"
level=WARN msg="sandbox run may have left something" run=id error="no such image"
`, out.String())
}

func TestOutcomes(t *testing.T) {
	for want, o := range map[string]Outcome{
		"success": {}, "failure": {Exit: 1}, "timeout": {Exit: 137, TimedOut: true}, "oom": {Exit: 137, OOMKilled: true},
		"error": {Exit: -1, Step: "pull"},
	} {
		require.Equal(t, want, o.name())
	}
	require.Equal(t, "success", Outcome{Step: "cleanup", Left: true}.name(), "the run was carried out")
}
