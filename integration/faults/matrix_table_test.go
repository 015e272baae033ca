//go:build docker

package faults_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/leaktest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// table has a row for each request that got a fault and a column for each fault.
// "ok" means a complete result; anything else is the step that the error names.
func (m *matrix) table() string {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "request")
	for _, f := range m.columns {
		fmt.Fprintf(w, "\t%s", f)
	}
	fmt.Fprintln(w)
	for i, x := range m.clean {
		row, faults := rowName(i, x), 0
		line := row
		for _, f := range m.columns {
			result, have := m.result[row+string(f)]
			if have {
				faults++
			} else {
				result = "-"
			}
			line += "\t" + result
		}
		if faults > 0 {
			fmt.Fprintln(w, line)
		}
	}
	w.Flush()
	return text.String()
}

func rowName(i int, x enginetest.Recorded) string { return fmt.Sprintf("%02d %s", i, x.Text) }

// checkAtEnd prints the table when all cases are over. It fails the test if objects,
// goroutines or open files are left.
func (m *matrix) checkAtEnd(t *testing.T) {
	t.Helper()
	files := len(descriptors(t))
	goroutines := leaktest.Now()
	t.Cleanup(func() {
		t.Helper()
		objects := enginetest.Objects(t, enginetest.API, owner.LabelOwner+"="+owner.Self().String())
		open := descriptors(t)
		running := goroutines.Left()
		for end := time.Now().Add(3 * time.Second); len(open) > files && time.Now().Before(end); open = descriptors(t) {
			<-time.After(10 * time.Millisecond)
		}
		t.Logf("%d cases; left: %d objects, %d goroutines, %d open files\n\n%s", m.cells,
			len(objects), len(running), max(0, len(open)-files), m.table())
		require.Empty(t, objects)
		require.Empty(t, running, "goroutines left")
		require.LessOrEqual(t, len(open), files, "files left: %v", open)
	})
}

// descriptors lists the open files of this process, without idle connections of the
// tests themselves.
func descriptors(t *testing.T) []string {
	t.Helper()
	require.NoError(t, enginetest.API.Close()) // it can be used again
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	var open []string
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil { // the directory's own is closed by now
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}
