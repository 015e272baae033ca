package main

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/synchestra-io/sandbox"
)

// phaseNames are the parts of a run, in the order of time. The command's container starts
// and ends between the first and the fourth.
var phaseNames = []string{"stage and create", "start", "command and exit", "collect", "clean up"}

// phases is how long each part of a kind of run takes, by the medians of some runs.
type phases struct {
	Run  string          `json:"run"`
	Took []time.Duration `json:"took_ns"` // as phaseNames
}

// phases are those of all kinds of runs.
func (b *bench) phases(ctx context.Context, runs int) (all []phases, err error) {
	for _, kind := range []struct {
		name string
		job  func() sandbox.Job
	}{
		{"true", func() sandbox.Job { return b.job("true") }},
		{"on bridge", b.onBridge},
		{"input, artifact", b.smallInput},
		{"and DiskMB", b.smallInputOnDisk},
	} {
		took := make([][]time.Duration, len(phaseNames))
		err := b.traced(ctx, runs, kind.job, func(start, end time.Time, spans tracetest.SpanStubs) {
			for i, d := range cut(start, end, spans) {
				took[i] = append(took[i], d)
			}
		})
		if err != nil {
			return nil, err
		}
		p := phases{Run: kind.name}
		for _, times := range took {
			p.Took = append(p.Took, spread(times).Median)
		}
		all = append(all, p)
	}
	return all, nil
}

// cut cuts a run into its phases.
func cut(start, end time.Time, spans tracetest.SpanStubs) []time.Duration {
	at := [...]time.Time{start, start, start, start, end, end}
	for _, s := range spans {
		switch name := requestName(s); {
		case name == "POST /containers/job/start":
			at[1], at[2] = s.StartTime, s.EndTime
		case name == "POST /containers/job/wait":
			at[3] = s.EndTime
		case strings.HasPrefix(name, "DELETE ") && s.StartTime.Before(at[4]):
			at[4] = s.StartTime
		}
	}
	took := make([]time.Duration, len(phaseNames))
	for i := range took {
		took[i] = max(0, at[i+1].Sub(at[i]))
	}
	return took
}

// plotPhases draws a bar for each kind of run, with its phases one upon the other.
func (r report) plotPhases(file string) error {
	if len(r.Phases) == 0 {
		return nil
	}
	drawn := plot.New()
	drawn.Title.Text, drawn.Y.Label.Text = "Where the time of a run goes", "milliseconds"
	drawn.Y.Min, drawn.Legend.Top, drawn.Legend.Left = 0, true, true
	names := make([]string, len(r.Phases))
	var below *plotter.BarChart
	for i, phase := range phaseNames {
		values := make(plotter.Values, len(r.Phases))
		for k, p := range r.Phases {
			names[k], values[k] = p.Run, p.Took[i].Seconds()*1000
		}
		bars, err := plotter.NewBarChart(values, vg.Points(40))
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = plotutil.Color(i), 0
		if below != nil {
			bars.StackOn(below)
		}
		below = bars
		drawn.Add(bars)
		drawn.Legend.Add(phase, bars)
	}
	drawn.NominalX(names...)
	return drawn.Save(6*vg.Inch, 4*vg.Inch, file)
}
