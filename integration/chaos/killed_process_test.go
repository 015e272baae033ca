//go:build docker

package chaos_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// moment is when a process is killed, relative to one of its requests.
type moment string

const (
	beforeIt moment = "before it is sent"
	duringIt moment = "while the engine works on it"
	afterIt  moment = "before its answer arrives"
)

// step is a request of a run, in a form that is the same for every run.
type step struct {
	request string
	again   int // how often it was made before
}

func (s step) String() string {
	text := strings.NewReplacer(" /", " ", "/", " ").Replace(s.request)
	if s.again > 0 {
		text = fmt.Sprintf("%s (%d)", text, s.again+1)
	}
	return text
}

// steps counts the requests of one run.
type steps struct {
	mu   sync.Mutex
	seen map[string]int
}

func (s *steps) next(request string) step {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.seen[request]++ }()
	return step{request, s.seen[request]}
}

func newSteps() *steps { return &steps{seen: map[string]int{}} }

// stepsOfARun returns the requests of an undisturbed run of a child. How often the
// state of a container is asked for varies, so these requests count once.
func stepsOfARun(t *testing.T, task, output string) (all []step) {
	t.Helper()
	var mu sync.Mutex
	id := owner.RandomID()
	counted := newSteps()
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		s := counted.next(x.Text)
		if s.again == 0 || !strings.HasPrefix(s.request, "GET /containers/") || !strings.HasSuffix(s.request, "/json") {
			mu.Lock()
			all = append(all, s)
			mu.Unlock()
		}
		x.Forward()
	})
	c := enginetest.StartChildAs(t, id, task, p.Host)
	<-c.Ended
	require.Equal(t, output, c.Output.String())
	enginetest.AssertNothingLeft(t, id)
	return all
}

// TestKilledAtEveryRequest kills a process at each request of its run. Afterwards a
// Sweep must leave nothing.
func TestKilledAtEveryRequest(t *testing.T) {
	killAtEvery(t, runShortly, stepsOfARun(t, runShortly, "input, artifact input, error <nil>\n"))
}

// The same for the requests that a Setup adds.
func TestKilledAtEveryRequestOfASetup(t *testing.T) {
	all := stepsOfARun(t, runBoth, "inputset up\n, artifact inputset up\n, error <nil>\n")
	ofSetup := func(s step) bool { return strings.Contains(s.request, "/job-setup") }
	first := slices.IndexFunc(all, ofSetup) - 2 // with its create
	last := first + 1
	for i, s := range all {
		if ofSetup(s) {
			last = i
		}
	}
	killAtEvery(t, runBoth, all[first:last+3]) // with the looks that follow
}

func killAtEvery(t *testing.T, task string, all []step) {
	t.Helper()
	cells, left := 0, new(atomic.Int64)
	t.Run("cells", func(t *testing.T) {
		for i, s := range all {
			for _, m := range []moment{beforeIt, duringIt, afterIt} {
				cells++
				t.Run(fmt.Sprintf("%02d %v, %s", i, s, m), func(t *testing.T) {
					t.Parallel()
					if killedAt(t, task, s, m) {
						left.Add(1)
					}
				})
			}
		}
	})
	t.Logf("%d requests, %d kills, %d of which left something until the Sweep", len(all), cells, left.Load())
	require.Positive(t, left.Load())
}

// killedAt reports whether something was left for the Sweep. A Sweep of a test in
// parallel may have removed it before.
func killedAt(t *testing.T, task string, at step, m moment) (left bool) {
	id := owner.RandomID()
	counted := newSteps()
	started, killed := make(chan *enginetest.Child, 1), make(chan struct{})
	kill := func() {
		c := <-started
		c.Kill()
		close(killed)
	}
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		switch {
		case counted.next(x.Text) != at:
			x.Forward()
		case m == beforeIt:
			kill()
			x.Drop()
		case m == duringIt:
			go kill() // the engine has a head start of a process's end
			x.Forward()
		default:
			x.AskToTheEnd()
			kill()
			x.Drop()
		}
	})
	c := enginetest.StartChildAs(t, id, task, p.Host)
	started <- c
	<-c.Ended
	select {
	case <-killed:
	case <-time.After(time.Minute):
		require.Fail(t, "it was not killed", c.Output.String())
	}
	require.True(t, m == duringIt || !c.Cmd.ProcessState.Exited(), "it ended before it was killed: %s", c.Output.String())

	left = len(enginetest.LeftOf(t, id)) > 0
	// Whatever the engine was doing when the process ended may appear after a Sweep, also beside
	// this request. In all other cases one Sweep is enough.
	sweepOnce(t)
	for begin := time.Now(); len(enginetest.LeftOf(t, id)) > 0; sweepOnce(t) {
		require.Less(t, time.Since(begin), 20*time.Second, "still left")
	}
	require.Empty(t, enginetest.LeftOf(t, id))
	return left
}
