package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/synchestra-io/sandbox"
)

// step is a request to the engine in a run: when it begins after the run's start, and how
// long it takes, by the medians of the runs.
type step struct {
	Request string        `json:"request"`
	Begin   time.Duration `json:"begin_ns"`
	Took    time.Duration `json:"took_ns"`
}

// ours is the scope of the spans that are no requests.
const ours = "github.com/synchestra-io/sandbox"

// told is one side: a job by a Runner that is kept, of which a logger and a tracer are told.
func (b *bench) told(job func() sandbox.Job) func(context.Context) error {
	tell := trace.NewTracerProvider(trace.WithBatcher(tracetest.NewNoopExporter()))
	return func(ctx context.Context) error {
		before := otel.GetTracerProvider()
		otel.SetTracerProvider(tell)
		defer otel.SetTracerProvider(before)
		res, err := b.logging.RunOnce(ctx, job())
		return check(res.ExitCode, err)
	}
}

// traced runs a job some times, and tells of each run when it began and ended, and its
// requests, as the spans of the engine's Go SDK tell.
func (b *bench) traced(ctx context.Context, runs int, job func() sandbox.Job, each func(start, end time.Time, spans tracetest.SpanStubs)) (err error) {
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans)))
	r, err := sandbox.New(sandbox.Options{}) // which takes the provider of now
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for i := range runs + 1 {
		spans.Reset()
		start := time.Now()
		if res, err := r.RunOnce(ctx, job()); err != nil || res.ExitCode != 0 {
			return check(res.ExitCode, err)
		}
		if i > 0 { // the first run makes what is kept
			each(start, time.Now(), slices.DeleteFunc(spans.GetSpans(), func(s tracetest.SpanStub) bool { return s.InstrumentationScope.Name == ours }))
		}
	}
	return nil
}

// steps are the requests of a run with input and artifact.
func (b *bench) steps(ctx context.Context, runs int) (steps []step, err error) {
	begins, took := map[string][]time.Duration{}, map[string][]time.Duration{}
	err = b.traced(ctx, runs, b.smallInput, func(start, _ time.Time, spans tracetest.SpanStubs) {
		seen := map[string]int{}
		for _, s := range spans {
			name := requestName(s)
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s, number %d", name, seen[name])
			}
			begins[name] = append(begins[name], s.StartTime.Sub(start))
			took[name] = append(took[name], s.EndTime.Sub(s.StartTime))
		}
	})
	if err != nil {
		return nil, err
	}
	for name, times := range took {
		if len(times) >= runs/2 {
			steps = append(steps, step{name, spread(begins[name]).Median, spread(times).Median})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.Begin, b.Begin) })
	return steps, nil
}

var (
	version  = regexp.MustCompile(`^/v1\.\d+`)
	runName  = regexp.MustCompile(`sandbox-[0-9a-f]{32}`)
	imageRef = regexp.MustCompile(`/images/.+/json`)
)

// requestName is the same in each run.
func requestName(s tracetest.SpanStub) string {
	var method, path string
	for _, a := range s.Attributes {
		switch a.Key {
		case "http.request.method":
			method = a.Value.AsString()
		case "url.full":
			_, path, _ = strings.Cut(a.Value.AsString(), "://")
			path = path[max(0, strings.Index(path, "/")):]
			path, _, _ = strings.Cut(path, "?")
		}
	}
	path = runName.ReplaceAllString(version.ReplaceAllString(path, ""), "job")
	return method + " " + imageRef.ReplaceAllString(path, "/images/ref/json")
}
