package dockerx

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// noGoroutineStays fails the test if goroutines that were started after this
// call are still there after the clean-ups that are registered after it.
func noGoroutineStays(t *testing.T) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		deadline := time.After(5 * time.Second)
		for tick := time.Tick(5 * time.Millisecond); ; {
			var left []string
			for id, stack := range goroutines() {
				if _, old := before[id]; !old {
					left = append(left, stack)
				}
			}
			if len(left) == 0 {
				return
			}
			select {
			case <-tick:
			case <-deadline:
				t.Errorf("%d goroutines stay:\n\n%s", len(left), strings.Join(left, "\n\n"))
				return
			}
		}
	})
}

// goroutines are the stacks of all goroutines but the caller's, by ID.
func goroutines() map[string]string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	all := map[string]string{}
	for i, stack := range strings.Split(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if i > 0 {
			all[id] = stack
		}
	}
	return all
}
