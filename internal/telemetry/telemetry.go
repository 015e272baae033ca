// Package telemetry tells of runs what an operator wants to know: by the caller's logger, and by
// spans and metrics through OpenTelemetry, if the program has set providers for them. Without
// any of that it does nothing, and allocates nothing.
package telemetry

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the name of what spans and metrics come from.
const Scope = "github.com/synchestra-io/sandbox"

// Run is one run that is told of. Its methods do nothing on a nil Run. They are for the
// goroutine of the run.
type Run struct {
	logger *slog.Logger    // nil = silent
	caller context.Context // without the spans of this run
	id     string
	began  time.Time
	steps  []step
	ctx    *current   // nil = there are no spans
	span   trace.Span // of the run
	counts bool       // there are metrics
	image  string
	ended  bool
}

type step struct {
	name  string
	began time.Time
	took  time.Duration // 0 = it has not ended
}

// Outcome is what came of a run.
type Outcome struct {
	Exit      int // -1 = there is no exit status
	TimedOut  bool
	OOMKilled bool
	Step      string // that failed, "" = none
	Err       error  // nil = the run was carried out
	Left      bool   // something may be left on the engine
	Output    int64  // bytes
	Dropped   int64  // of these, bytes that are not in the logs
	Artifacts int    // files
}

// Begin begins the telling of a run, and returns the context for all that it does: whatever has
// a span of its own is below that of the step that is under way. logger is the caller's, nil =
// none.
func Begin(ctx context.Context, logger *slog.Logger, id string) (context.Context, *Run) {
	traced, counted := set(otel.GetTracerProvider()), set(otel.GetMeterProvider())
	if logger == nil && !traced && !counted {
		return ctx, nil
	}
	r := &Run{logger: logger, caller: ctx, id: id, began: time.Now(), counts: counted}
	if traced {
		begun, span := otel.Tracer(Scope).Start(ctx, "sandbox run", trace.WithAttributes(attribute.String("sandbox.run.id", id)))
		r.span, r.ctx = span, &current{Context: begun, run: begun}
		r.ctx.now.Store(&begun)
		ctx = r.ctx
	}
	if counted {
		active.Add(ctx, 1)
	}
	return ctx, r
}

// unset is where the providers are from that OpenTelemetry has until a program sets its own.
const unset = "go.opentelemetry.io/otel/internal/global"

// set tells whether a provider is one that a program has set.
func set(provider any) bool {
	t := reflect.TypeOf(provider)
	return t != nil && (t.Kind() != reflect.Pointer || t.Elem().PkgPath() != unset)
}

// Step begins a step, and ends the one before it.
func (r *Run) Step(name string) {
	if r == nil {
		return
	}
	now := time.Now()
	r.endStep(now)
	r.steps = append(r.steps, step{name: name, began: now})
	if r.ctx != nil {
		begun, _ := otel.Tracer(Scope).Start(r.ctx.run, name)
		r.ctx.now.Store(&begun)
	}
}

// endStep ends the step that is under way.
func (r *Run) endStep(now time.Time) {
	if len(r.steps) == 0 || r.steps[len(r.steps)-1].took > 0 {
		return
	}
	last := &r.steps[len(r.steps)-1]
	last.took = max(now.Sub(last.began), 1)
	if r.ctx != nil {
		trace.SpanFromContext(*r.ctx.now.Load()).End()
		r.ctx.now.Store(&r.ctx.run)
	}
	if r.logger != nil {
		r.logger.LogAttrs(r.context(), slog.LevelDebug, "sandbox step", slog.String("run", r.id), slog.String("step", last.name), slog.Duration("duration", last.took))
	}
}

// Failed notes the error of the step that is under way.
func (r *Run) Failed(err error) {
	if r != nil && r.ctx != nil && err != nil {
		trace.SpanFromContext(*r.ctx.now.Load()).SetStatus(codes.Error, err.Error())
	}
}

// Image notes the full name of the image that the run is to use.
func (r *Run) Image(name string) {
	if r != nil {
		r.image = name
	}
}

// End ends the telling. Only the first call counts.
func (r *Run) End(o Outcome) {
	if r == nil || r.ended {
		return
	}
	r.ended = true
	now := time.Now()
	defer func() { // whatever the logger does
		if r.span != nil {
			r.span.End()
		}
		if r.counts {
			count(r.context(), o, now.Sub(r.began))
		}
	}()
	if r.span != nil {
		r.span.SetAttributes(r.attributes(o)...)
		if o.Err != nil {
			r.span.SetStatus(codes.Error, o.Err.Error())
		}
	}
	r.endStep(now)
	if r.logger != nil {
		r.log(o, now.Sub(r.began))
	}
}

// context is that of the run, for what is told about it.
func (r *Run) context() context.Context {
	if r.ctx != nil {
		return r.ctx.run
	}
	return r.caller
}

// attributes are those of a run's span, by the semantic conventions where these have names.
func (r *Run) attributes(o Outcome) []attribute.KeyValue {
	list := []attribute.KeyValue{
		attribute.String("container.image.name", r.image),
		attribute.String("sandbox.outcome", o.name()),
		attribute.Int64("sandbox.output.bytes", o.Output),
		attribute.Int64("sandbox.output.dropped_bytes", o.Dropped),
		attribute.Int("sandbox.artifacts", o.Artifacts),
	}
	if o.Exit >= 0 {
		list = append(list, attribute.Int("process.exit.code", o.Exit))
	}
	if o.Step != "" {
		list = append(list, attribute.String("error.type", o.Step))
	}
	return list
}

// name is what metrics and spans call an outcome.
func (o Outcome) name() string {
	switch {
	case o.Step != "" && o.Step != "cleanup":
		return "error"
	case o.TimedOut:
		return "timeout"
	case o.OOMKilled:
		return "oom"
	case o.Exit != 0:
		return "failure"
	}
	return "success"
}
