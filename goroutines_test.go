//go:build docker

package sandbox

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// assertNoGoroutines fails the test if, at its end, goroutines of the library
// are running that were not there at its beginning. It allows them a moment to
// end. No other test of the library may run at the same time.
func assertNoGoroutines(t testing.TB) {
	t.Helper()
	before := len(libraryGoroutines())
	t.Cleanup(func() {
		t.Helper()
		left := goroutinesBeyond(before)
		require.LessOrEqual(t, len(left), before, "goroutines left:\n\n%s", strings.Join(left, "\n\n"))
	})
}

// goroutinesBeyond returns the library's goroutines as soon as they are not more
// than before, or after a moment.
func goroutinesBeyond(before int) []string {
	deadline := time.Now().Add(3 * time.Second)
	left := libraryGoroutines()
	for ; len(left) > before && time.Now().Before(deadline); left = libraryGoroutines() {
		<-time.After(10 * time.Millisecond)
	}
	return left
}

// libraryGoroutines returns the stacks in which the library or its engine
// client appears, the test's own goroutines left out.
func libraryGoroutines() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		ours := strings.Contains(stack, "synchestra-io/sandbox") || strings.Contains(stack, "docker/docker/client") ||
			strings.Contains(stack, "net/http.(*persistConn)")
		if ours && !strings.Contains(stack, "testing.tRunner") && !strings.Contains(stack, "testing.(*T).Run") {
			found = append(found, stack)
		}
	}
	return found
}
