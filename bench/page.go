package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// page writes the measurements of one engine below a directory, and a page there with those
// of all engines that were measured.
func page(dir string, r report) error {
	data := filepath.Join(dir, "benchmarks")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, r.file()+".json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := r.plot(data); err != nil {
		return err
	}
	measured, err := filepath.Glob(filepath.Join(data, "*.json"))
	if err != nil {
		return err
	}
	var out strings.Builder
	out.WriteString(introduction)
	for _, name := range measured {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var r report
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.markdown(&out)
	}
	return os.WriteFile(filepath.Join(dir, "BENCHMARKS.md"), []byte(out.String()), 0o644)
}

const introduction = `# Benchmarks

Written by ` + "`make bench`" + `. The two sides of a pair run in turn, on one engine, so that what disturbs
the machine disturbs both; a ratio is that of their medians. A ratio above its target says so.
The sides:

- *kept Runner* is ` + "`Runner.RunOnce`" + ` of a Runner that is not closed, *RunOnce* the function of that name.
- *docker* is the docker command, one process for each step, with the flags of the preset.
- *bare SDK* is the engine's Go SDK with the same preset, which checks nothing and bounds nothing.
- *testcontainers-go* has the same preset, has no reaper, and looks for the exit every 5 ms
  instead of 100.

On network "none" a kept Runner does without the engine's network library; on the other sides
localhost would then have no address. For input and artifact, the docker command and
testcontainers-go run as root with a writable root file system, since neither makes a directory
that belongs to another user.
`

// floors tell, by the second side of a pair, what its target is missed by.
var floors = map[string]string{
	"testcontainers-go": "its one container runs as root on a root file system that can be written to. A job's input is in a volume " +
		"of its user's, which is filled through a second container, made and removed beside the job's; and the job's container is " +
		"asked for links of the image's before the start, and again before artifacts are read.",
	"input and artifact": "the disk lasts as long as a container runs that has it, so that a second one is started and ended. " +
		"The phases in the plot tell how long these take.",
	"the same with one": "an artifact is a request, or two. Without DiskMB several of one directory are not read by one: the engine lists all " +
		"that is below a directory before it sends anything, and a job can have made millions of files there.",
	"docker run to /dev/null, same flags": "each piece of output, of some 7 KiB, goes to another goroutine and back, so that a Write " +
		"that never returns cannot stop the run.",
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// file is the engine's name as a part of files' names.
func (r report) file() string {
	name, _, _ := strings.Cut(r.Engine, ",")
	return strings.Trim(notInName.ReplaceAllString(name, "-"), "-")
}

func (r report) markdown(w *strings.Builder) {
	name, rest, _ := strings.Cut(r.Engine, ", ")
	fmt.Fprintf(w, "\n## %s\n\n%s; %s.\n\n", name, rest, r.Machine)
	w.WriteString("| pair | runs | ms: median (quartiles), 95 % | client's CPU, ms | ratio | target |\n|---|---|---|---|---|---|\n")
	for _, p := range r.Pairs {
		target := "none"
		if p.Target > 0 {
			target = fmt.Sprintf("%.2f", p.Target)
		}
		if p.Target > 0 && p.Ratio > p.Target {
			target += ", missed"
		}
		fmt.Fprintf(w, "| %s / %s | %d | %s / %s | %s / %s | %.2f | %s |\n",
			p.A, p.B, p.Runs, p.TimeA.text(), p.TimeB.text(), inMS(p.CPUA), inMS(p.CPUB), p.Ratio, target)
	}
	if len(r.Phases) > 0 {
		fmt.Fprintf(w, "\n![Where the time of a run goes](benchmarks/%s-phases.svg)\n", r.file())
	}
	for _, p := range r.Pairs {
		if why := floors[p.B]; why != "" && p.Target > 0 && p.Ratio > p.Target {
			fmt.Fprintf(w, "\n%s / %s: %s\n", p.A, p.B, why)
		}
	}
	for _, plot := range plots {
		if len(plot.lines(r)) > 0 {
			fmt.Fprintf(w, "\n![%s](benchmarks/%s-%s.svg)\n", plot.title, r.file(), plot.name)
		}
	}
	if len(r.Steps) > 0 {
		w.WriteString("\nWhere the time of a run with input and artifact goes, by request:\n\n| request | begins at, ms | takes, ms |\n|---|---|---|\n")
		for _, s := range r.Steps {
			fmt.Fprintf(w, "| %s | %s | %s |\n", s.Request, inMS(s.Begin), inMS(s.Took))
		}
	}
}

func inMS(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }

func (q quartiles) text() string {
	return fmt.Sprintf("%d (%d to %d), %d", q.Median.Milliseconds(), q.Q1.Milliseconds(), q.Q3.Milliseconds(), q.P95.Milliseconds())
}

// plots are those of each engine.
var plots = []struct {
	name, title, x, y string
	lines             func(report) []series
}{
	{"throughput", "Runs per second, by how many run at once", "at once", "runs per second", func(r report) []series { return r.Throughput }},
	{"size", "Time by the size of the input, one file", "MiB", "seconds", func(r report) []series { return r.BySize }},
	{"files", "Time by the number of files, 1 KiB each", "files", "seconds", func(r report) []series { return r.ByFiles }},
}

func (r report) plot(dir string) error {
	for _, p := range plots {
		lines := p.lines(r)
		if len(lines) == 0 {
			continue
		}
		drawn := plot.New()
		drawn.Title.Text, drawn.X.Label.Text, drawn.Y.Label.Text = p.title, p.x, p.y
		drawn.X.Scale, drawn.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
		drawn.Y.Min, drawn.Legend.Top, drawn.Legend.Left = 0, true, true
		var args []any
		for _, s := range lines {
			points := make(plotter.XYs, len(s.X))
			for i := range s.X {
				points[i] = plotter.XY{X: s.X[i], Y: s.Y[i]}
			}
			args = append(args, s.Name, points)
		}
		if err := plotutil.AddLinePoints(drawn, args...); err != nil {
			return err
		}
		name := filepath.Join(dir, r.file()+"-"+p.name+".svg")
		if err := drawn.Save(6*vg.Inch, 4*vg.Inch, name); err != nil {
			return err
		}
	}
	return r.plotPhases(filepath.Join(dir, r.file()+"-phases.svg"))
}
