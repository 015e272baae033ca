// Bench compares RunOnce with what one would use instead, on the engine that
// answers. The two sides of a pair run in turn, so that what disturbs the
// machine disturbs both; results are ratios.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	scale := flag.Float64("scale", 1, "multiply the number of runs of every pair")
	only := flag.String("run", "", "measure only the pairs whose name contains this")
	dir := flag.String("page", "", "measure more, and write the page and its plots into this directory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, *only, *scale, *dir != "")
	if err == nil {
		err = show(r, *dir, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func show(r report, dir string, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	r.print(os.Stdout)
	if dir != "" {
		return page(dir, r)
	}
	return nil
}

// run measures the pairs, and everything else for the page if more is set.
func run(ctx context.Context, only string, scale float64, more bool) (r report, err error) {
	b, err := newBench(ctx)
	if err != nil {
		return r, err
	}
	defer func() {
		if closeErr := b.close(); err == nil {
			err = closeErr
		}
	}()
	if r.Engine, err = b.describe(ctx); err != nil {
		return r, err
	}
	r.Machine = describeMachine()
	pairs := b.pairs()
	if more {
		pairs = append(pairs, b.costs()...)
	}
	for _, p := range pairs {
		if !strings.Contains(p.a.name+p.b.name, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s against %s: %d runs each\n", p.a.name, p.b.name, p.times(scale))
		measured, err := p.measure(ctx, scale, b.target)
		if err != nil {
			return r, err
		}
		r.Pairs = append(r.Pairs, measured)
	}
	if !more {
		return r, nil
	}
	if r.Throughput, err = b.throughput(ctx, scale); err != nil {
		return r, err
	}
	if r.BySize, r.ByFiles, err = b.byInput(ctx); err != nil {
		return r, err
	}
	if r.Steps, err = b.steps(ctx, 15); err != nil {
		return r, err
	}
	if r.Phases, err = b.phases(ctx, 15); err != nil {
		return r, err
	}
	aged, err := b.aging(ctx, 500)
	r.Pairs = append(r.Pairs, aged)
	return r, err
}
