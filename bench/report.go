package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// report is what the benchmark prints, as a table or as JSON.
type report struct {
	Machine string   `json:"machine"`
	Engine  string   `json:"engine"`
	Pairs   []result `json:"pairs"`
	// The rest is measured for the page alone.
	Steps      []step   `json:"steps,omitempty"`
	Phases     []phases `json:"phases,omitempty"`
	Throughput []series `json:"runs_per_second,omitempty"`
	BySize     []series `json:"by_size,omitempty"`
	ByFiles    []series `json:"by_files,omitempty"`
}

func (r report) print(w io.Writer) {
	fmt.Fprintf(w, "machine: %s\nengine:  %s\n\n", r.Machine, r.Engine)
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.AppendHeader(table.Row{"what", "ms: q1, median, q3, p95", "runs", "ratio", "at most"})
	for _, p := range r.Pairs {
		t.AppendRow(table.Row{p.A, milliseconds(p.TimeA), p.Runs, fmt.Sprintf("%.2f", p.Ratio), atMost(p.Target)})
		t.AppendRow(table.Row{"  / " + p.B, milliseconds(p.TimeB), p.Runs})
		if p.GrowthLimit > 0 {
			t.AppendRow(table.Row{"  memory growth of the caller, MiB", "", p.Runs, mib(p.Growth), mib(p.GrowthLimit)})
		}
		t.AppendSeparator()
	}
	t.Render()
}

func atMost(target float64) string {
	if target == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%.2f", target)
}

func milliseconds(q quartiles) string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%5d", d.Milliseconds()) }
	return strings.Join([]string{ms(q.Q1), ms(q.Median), ms(q.Q3), ms(q.P95)}, " ")
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

func describeMachine() string {
	kernel := "unknown kernel"
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel, _, _ = strings.Cut(strings.TrimSpace(string(release)), "-")
	}
	return fmt.Sprintf("%s/%s, %d CPUs, kernel %s, %s, %s",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), kernel, runtime.Version(), time.Now().UTC().Format(time.DateOnly))
}

func (b *bench) describe(ctx context.Context) (string, error) {
	info, err := b.api.Info(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Docker %s, %s, runc %s, cgroup v%s, API %s", info.ServerVersion, info.Driver,
		info.RuncCommit.ID, info.CgroupVersion, b.api.ClientVersion()), nil
}
