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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *scale, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, scale float64, asJSON bool) (err error) {
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := b.close(); err == nil {
			err = closeErr
		}
	}()
	engine, err := b.describe(ctx)
	if err != nil {
		return err
	}
	report := report{Machine: describeMachine(), Engine: engine}
	for _, p := range b.pairs() {
		if !strings.Contains(p.a.name+p.b.name, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s against %s: %d runs each\n", p.a.name, p.b.name, p.times(scale))
		r, err := p.measure(ctx, scale)
		if err != nil {
			return err
		}
		report.Pairs = append(report.Pairs, r)
	}
	if asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(report)
	}
	report.print(os.Stdout)
	return nil
}
