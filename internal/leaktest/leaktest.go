// Package leaktest finds goroutines that a test leaves behind.
package leaktest

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long a goroutine may take to end.
const patience = 5 * time.Second

// Check fails the test if a goroutine that is started after this call is still
// running after the clean-ups that are registered after it. No other test may run
// at the same time.
func Check(t testing.TB) {
	t.Helper()
	before := Now()
	t.Cleanup(func() {
		t.Helper()
		if left := before.Left(); len(left) > 0 {
			t.Errorf("%d goroutines left:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
}

// Snapshot holds the stacks of all goroutines but the caller's, by their IDs.
type Snapshot map[string]string

// Now takes a snapshot.
func Now() Snapshot {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	all := Snapshot{}
	for i, stack := range strings.Split(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if i > 0 {
			all[id] = stack
		}
	}
	return all
}

// Left returns the stacks of goroutines that were started since the snapshot. It
// gives them time to end.
func (s Snapshot) Left() []string {
	deadline := time.After(patience)
	for tick := time.Tick(5 * time.Millisecond); ; {
		var left []string
		for id, stack := range Now() {
			if _, old := s[id]; !old {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-tick:
		case <-deadline:
			return left
		}
	}
}
