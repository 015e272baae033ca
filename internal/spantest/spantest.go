// Package spantest records spans, with the API of OpenTelemetry alone.
package spantest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// Recorder is a provider whose spans are kept.
type Recorder struct {
	embedded.TracerProvider
	mu   sync.Mutex
	kept []*span
}

// Record makes a Recorder the program's provider until the end of the test. No other test may run
// at the same time.
func Record(t testing.TB) *Recorder {
	t.Helper()
	before, r := otel.GetTracerProvider(), &Recorder{}
	otel.SetTracerProvider(r)
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	return r
}

// Span is what is known of one.
type Span struct {
	Name, Status string
	Parent       string // the name of the one above it, "" = there is none
	Trace        string // what all spans below one have in common
	Ends         int    // how often it was ended
	Text         string // all that was said of it
}

// All returns the spans in the order of their beginnings.
func (r *Recorder) All() (all []Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.kept {
		all = append(all, s.is)
	}
	return all
}

// Of returns the spans of which one says text, with all above and below it.
func (r *Recorder) Of(text string) (of []Span) {
	all := r.All()
	for _, said := range all {
		if !strings.Contains(said.Text, text) {
			continue
		}
		for _, s := range all {
			if s.Trace == said.Trace {
				of = append(of, s)
			}
		}
		break
	}
	return of
}

// Tracer is of [trace.TracerProvider].
func (r *Recorder) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{recorder: r} }

type tracer struct {
	embedded.Tracer
	recorder *Recorder
}

func (t tracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	s := &span{recorder: t.recorder, is: Span{Name: name}}
	var c trace.SpanContextConfig
	rand.Read(c.SpanID[:])
	rand.Read(c.TraceID[:])
	c.TraceFlags = trace.FlagsSampled
	if above, ok := trace.SpanFromContext(ctx).(*span); ok && !config.NewRoot() {
		c.TraceID, s.is.Parent = above.context.TraceID(), above.is.Name
	}
	s.context, s.is.Trace = trace.NewSpanContext(c), c.TraceID.String()
	t.recorder.mu.Lock()
	t.recorder.kept = append(t.recorder.kept, s)
	t.recorder.mu.Unlock()
	s.say(name)
	s.SetAttributes(config.Attributes()...)
	return trace.ContextWithSpan(ctx, s), s
}

type span struct {
	embedded.Span
	recorder *Recorder
	context  trace.SpanContext
	is       Span // guarded by the recorder's mu
}

func (s *span) say(text ...string) {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.is.Text += strings.Join(text, " ") + "\n"
}

func (s *span) End(...trace.SpanEndOption) {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.is.Ends++
}

func (s *span) SetStatus(code codes.Code, description string) {
	s.say(code.String(), description)
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.is.Status = description
}

func (s *span) SetAttributes(list ...attribute.KeyValue) {
	for _, a := range list {
		s.say(string(a.Key), a.Value.String())
	}
}

func (s *span) RecordError(err error, options ...trace.EventOption) {
	s.AddEvent(fmt.Sprint(err), options...)
}

func (s *span) AddEvent(name string, options ...trace.EventOption) {
	s.say(name)
	config := trace.NewEventConfig(options...)
	s.SetAttributes(config.Attributes()...)
}

func (s *span) SetName(name string) {
	s.say(name)
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.is.Name = name
}

func (s *span) AddLink(trace.Link)                   {}
func (s *span) IsRecording() bool                    { return true }
func (s *span) SpanContext() trace.SpanContext       { return s.context }
func (s *span) TracerProvider() trace.TracerProvider { return s.recorder }
