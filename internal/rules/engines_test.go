package rules

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// without names the variables of the Makefile that leave tests out, with what README's table
// says of them.
var without = map[string]string{
	"":            "nothing",
	"notpodman":   "`Limits.DiskMB`, and what [SECURITY.md](SECURITY.md#podman) lists",
	"notvm":       "nothing",
	"notrootless": "`Limits.DiskMB`; limits that systemd has not delegated; what [SECURITY.md](SECURITY.md#rootless-docker) lists",
}

// README's table of engines says what docs/engines.jsonl has: the suites that passed, as
// SANDBOX_RECORD notes them when a suite runs as a whole.
func TestREADMEEngines(t *testing.T) {
	_, table, found := strings.Cut(readme(t), "| engine | runtime | cgroups | as | kernel | suites that pass | refused |\n|---|---|---|---|---|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	require.Equal(t, rows(t, records(t)), strings.Split(table, "\n"))
}

func records(t testing.TB) (all []enginetest.Record) {
	text, err := os.ReadFile(root + "/docs/engines.jsonl")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var r enginetest.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		all = append(all, r)
	}
	return all
}

// passed tells whether a suite has passed: as a whole, or but for tests that have passed since.
func passed(r enginetest.Record, all []enginetest.Record) bool {
	if r.Passed {
		return true
	}
	since := func(test string) bool {
		return slices.ContainsFunc(all, func(again enginetest.Record) bool {
			return again.Passed && strings.Contains(again.Only, test) && head(again) == head(r) && again.Suite == r.Suite
		})
	}
	return len(r.Failed) > 0 && !slices.ContainsFunc(r.Failed, func(test string) bool { return !since(test) })
}

// head is the beginning of the row that a record belongs to.
func head(r enginetest.Record) string {
	as := "root"
	if r.Rootless {
		as = "a user"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", r.Engine, r.Runtime, r.Cgroups, as, r.Kernel)
}

// rows are the table's, an engine each, in the order of the records.
func rows(t testing.TB, all []enginetest.Record) (rows []string) {
	refused := map[string]string{}
	for name, text := range without {
		refused[makeVariable(t, name)] = text
	}
	var heads []string
	suites, ends := map[string][]string{}, map[string]string{}
	for _, r := range all {
		if r.Only != "" {
			continue
		}
		require.True(t, passed(r, all), "%+v", r)
		h, suite := head(r), r.Suite
		if !slices.Contains(heads, h) {
			heads = append(heads, h)
		}
		if r.Short {
			suite += " (a third)"
		}
		if !slices.Contains(suites[h], suite) {
			suites[h] = append(suites[h], suite)
		}
		text, known := refused[r.Without]
		require.True(t, known, "a record leaves out %s, as no variable of the Makefile does", r.Without)
		require.Contains(t, []string{"", text}, ends[h])
		ends[h] = text
	}
	for _, h := range heads {
		rows = append(rows, fmt.Sprintf("%s %s | %s |", h, strings.Join(suites[h], ", "), ends[h]))
	}
	return rows
}

// makeVariable returns the value of a variable of the Makefile: a line of its own, or several
// that end with $\, in which $(name) is another one. Not everywhere is there a make to ask.
func makeVariable(t testing.TB, name string) string {
	if name == "" {
		return ""
	}
	text, err := os.ReadFile(root + "/Makefile")
	require.NoError(t, err)
	joined := regexp.MustCompile(`\$\\\n\s*`).ReplaceAllString(string(text), "")
	found := regexp.MustCompile(`(?m)^` + name + ` += (.*)$`).FindStringSubmatch(joined)
	require.NotNil(t, found, name)
	return regexp.MustCompile(`\$\$|\$\(\w+\)`).ReplaceAllStringFunc(found[1], func(ref string) string {
		if ref == "$$" {
			return "$"
		}
		return makeVariable(t, ref[2:len(ref)-1])
	})
}
