package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// side is one of the two things that a pair compares.
type side struct {
	name string
	run  func(context.Context) error
}

// pair is measured as a's time divided by b's.
type pair struct {
	a, b   side
	runs   int // of each side, after one that does not count
	target targets
	// growth is how far the memory of this process may grow during a run of a,
	// in bytes; 0 = not measured.
	growth int64
}

// targets are ratios that must not be exceeded.
type targets struct {
	old float64 // with Docker 20.10
	now float64 // with Docker 26 and newer
}

// quartiles of one side's times.
type quartiles struct {
	Q1     time.Duration `json:"q1_ns"`
	Median time.Duration `json:"median_ns"`
	Q3     time.Duration `json:"q3_ns"`
	P95    time.Duration `json:"p95_ns"`
}

// result is what a pair came to.
type result struct {
	A           string        `json:"a"`
	B           string        `json:"b"`
	Runs        int           `json:"runs"`
	TimeA       quartiles     `json:"time_a"`
	TimeB       quartiles     `json:"time_b"`
	CPUA        time.Duration `json:"cpu_a_ns"` // of this process and those that it started, median
	CPUB        time.Duration `json:"cpu_b_ns"`
	Ratio       float64       `json:"ratio"` // of the medians
	Target      float64       `json:"target,omitempty"`
	Growth      int64         `json:"growth_bytes,omitempty"`
	GrowthLimit int64         `json:"growth_limit_bytes,omitempty"`
}

func (p pair) times(scale float64) int { return max(3, int(float64(p.runs)*scale)) }

// measure runs the two sides in turn, and changes which goes first.
func (p pair) measure(ctx context.Context, scale float64, target func(targets) float64) (result, error) {
	times, cpu := map[string][]time.Duration{}, map[string][]time.Duration{}
	var growth int64
	for i := range p.times(scale) + 1 {
		order := []side{p.a, p.b}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			peak, err := startPeak()
			if err != nil {
				return result{}, err
			}
			took, used, err := s.timed(ctx)
			if err != nil {
				return result{}, err
			}
			if i == 0 {
				continue // warms caches and connections
			}
			times[s.name], cpu[s.name] = append(times[s.name], took), append(cpu[s.name], used)
			if s.name == p.a.name && p.growth > 0 {
				g, err := peak.growth()
				if err != nil {
					return result{}, err
				}
				growth = max(growth, g)
			}
		}
	}
	r := result{A: p.a.name, B: p.b.name, Runs: p.times(scale), Target: target(p.target), Growth: growth, GrowthLimit: p.growth}
	r.TimeA, r.TimeB = spread(times[p.a.name]), spread(times[p.b.name])
	r.CPUA, r.CPUB = spread(cpu[p.a.name]).Median, spread(cpu[p.b.name]).Median
	r.Ratio = float64(r.TimeA.Median) / float64(r.TimeB.Median)
	return r, nil
}

// timed runs a side once, and tells how long it took and how much of the CPU the client had.
func (s side) timed(ctx context.Context) (took, cpu time.Duration, err error) {
	before, err := clientCPU()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := s.run(ctx); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", s.name, err)
	}
	took = time.Since(start)
	after, err := clientCPU()
	return took, after - before, err
}

// clientCPU is the CPU time of this process and of those that it started and that have ended.
func clientCPU() (total time.Duration, err error) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			return 0, err
		}
		total += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return total, nil
}

// spread returns the quartiles, between neighbours where there is no middle.
func spread(times []time.Duration) quartiles {
	slices.Sort(times)
	at := func(q float64) time.Duration {
		x := q * float64(len(times)-1)
		i := int(x)
		if i+1 == len(times) {
			return times[i]
		}
		return times[i] + time.Duration((x-float64(i))*float64(times[i+1]-times[i]))
	}
	return quartiles{at(0.25), at(0.5), at(0.75), at(0.95)}
}
