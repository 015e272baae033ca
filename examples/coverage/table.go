package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/tools/cover"
)

// print shows the verdict, the coverage by package, and the end of the output if
// there is something wrong.
func (o *outcome) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s, in %.1f s\n", o.module, o.verdict(), o.took.Seconds())
	if !o.passed() {
		fmt.Fprintf(w, "%s\n", lastLines(o.res.Logs, 40))
	}
	if o.res.SetupFailed {
		fmt.Fprintf(w, "%s\n", lastLines(o.res.SetupLogs, 40))
		return
	}
	profiles, err := cover.ParseProfilesFromReader(bytes.NewReader(o.res.Artifacts[profilePath]))
	if err != nil {
		fmt.Fprintf(w, "no coverage: %v\n", err)
		return
	}
	if len(profiles) == 0 {
		fmt.Fprintln(w, "no coverage was written")
		return
	}
	packages, total := byPackage(profiles)
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.AppendHeader(table.Row{"package", "statements", "covered", "%"})
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		t.AppendRow(packages[name].row(name))
	}
	t.AppendFooter(total.row("total"))
	t.Render()
	for _, name := range o.saved {
		fmt.Fprintln(w, name)
	}
}

// count is a number of statements.
type count struct{ all, covered int }

func (c count) row(name string) table.Row {
	return table.Row{name, c.all, c.covered, fmt.Sprintf("%.1f", 100*float64(c.covered)/float64(max(c.all, 1)))}
}

func byPackage(profiles []*cover.Profile) (map[string]count, count) {
	packages, total := map[string]count{}, count{}
	for _, p := range profiles {
		c := packages[path.Dir(p.FileName)]
		for _, b := range p.Blocks {
			c.all += b.NumStmt
			total.all += b.NumStmt
			if b.Count > 0 {
				c.covered += b.NumStmt
				total.covered += b.NumStmt
			}
		}
		packages[path.Dir(p.FileName)] = c
	}
	return packages, total
}

func lastLines(text []byte, n int) []byte {
	lines := bytes.SplitAfter(bytes.TrimRight(text, "\n"), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-n):], nil)
}
