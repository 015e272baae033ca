package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/synchestra-io/sandbox"
)

// series is a line of a plot.
type series struct {
	Name string    `json:"name"`
	X    []float64 `json:"x"`
	Y    []float64 `json:"y"`
}

// throughput is the number of runs of true per second, by how many run at once.
func (b *bench) throughput(ctx context.Context, scale float64) ([]series, error) {
	truth := func() sandbox.Job { return b.job("true") }
	sides := []side{
		{"kept Runner", b.kept(truth)}, {"docker run --rm", b.dockerRun("true")}, {"bare SDK", b.bareSDK("true")},
	}
	lines := make([]series, len(sides))
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		for i, s := range sides {
			fmt.Fprintf(os.Stderr, "%s, %d at once\n", s.name, n)
			batch, rounds := atOnce(n, s.run), max(1, int(32*scale)/n)
			start := time.Now()
			for range rounds {
				if err := batch(ctx); err != nil {
					return nil, err
				}
			}
			lines[i].Name = s.name
			lines[i].add(float64(n), float64(n*rounds)/time.Since(start).Seconds())
		}
	}
	return lines, nil
}

func (s *series) add(x, y float64) { s.X, s.Y = append(s.X, x), append(s.Y, y) }

// byInput is the time of a run by the size of its input, in MiB, and by its files.
func (b *bench) byInput(ctx context.Context) (bySize, byFiles []series, err error) {
	measure := func(lines []series, x float64, input func() io.Reader) error {
		job := func() sandbox.Job {
			j := b.job("true")
			j.InputTar = input()
			return j
		}
		for i, s := range []side{{"kept Runner, input and true", b.kept(job)}, {"docker cp into a stopped container", b.dockerCp(input)}} {
			fmt.Fprintf(os.Stderr, "%s, %v\n", s.name, x)
			var times []time.Duration
			for range 3 {
				start := time.Now()
				if err := s.run(ctx); err != nil {
					return err
				}
				times = append(times, time.Since(start))
			}
			lines[i].Name = s.name
			lines[i].add(x, spread(times).Median.Seconds())
		}
		return nil
	}
	bySize, byFiles = make([]series, 2), make([]series, 2)
	for _, size := range []int64{1 << 10, 1 << 20, 16 << 20, 128 << 20, 1 << 30} {
		if err := measure(bySize, float64(size)/(1<<20), func() io.Reader { return tree(1, size) }); err != nil {
			return nil, nil, err
		}
	}
	for _, files := range []int{1, 100, 1000, 10_000, 50_000} {
		if err := measure(byFiles, float64(files), func() io.Reader { return tree(files, 1<<10) }); err != nil {
			return nil, nil, err
		}
	}
	return bySize, byFiles, nil
}

// aging compares the last runs of many by one Runner with its first ones.
func (b *bench) aging(ctx context.Context, runs int) (result, error) {
	const ends = 15
	var times []time.Duration
	err := b.traced(ctx, runs, func() sandbox.Job { return b.job("true") }, func(start, end time.Time, _ tracetest.SpanStubs) {
		times = append(times, end.Sub(start))
	})
	if err != nil {
		return result{}, err
	}
	first, last := spread(slices.Clone(times[:ends])), spread(slices.Clone(times[len(times)-ends:]))
	return result{
		A: "the last 15 of 500 runs of one Runner", B: "its first 15", Runs: ends, TimeA: last, TimeB: first,
		Ratio: float64(last.Median) / float64(first.Median), Target: 1.05,
	}, nil
}
