//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// faultBounds are short enough for a loop over every request, and long enough
// for a busy engine.
var faultBounds = bounds{
	engine:  dockerx.Bounds{Call: 5 * time.Second, Slow: 10 * time.Second, Stall: 10 * time.Second},
	stop:    10 * time.Second,
	drain:   2 * time.Second,
	reader:  500 * time.Millisecond,
	settle:  200 * time.Millisecond,
	cleanup: 10 * time.Second,
}

// TestFaultAtEveryRequest runs a job with a pull, an input and artifacts as
// often as the clean run has requests, each time with a fault at another one.
func TestFaultAtEveryRequest(t *testing.T) {
	r := newRegistry(t)
	ref, _ := r.push(t, probeImage(t, "faults"), "faults")
	clean := newFaultProxy(t, -1, "")
	want, err := faultyRun(t, clean, ref)
	require.NoError(t, err)
	require.Equal(t, "input", string(want.Logs))
	require.Len(t, want.Artifacts, 1)

	requests := clean.seen()
	for i, request := range requests {
		for _, f := range []fault{refuse, dropAnswer} {
			t.Run(caseName(i, request, f), func(t *testing.T) {
				assertNoGoroutines(t)
				p := newFaultProxy(t, i, f)
				res, err := faultyRun(t, p, ref)
				require.True(t, p.hasFired())
				if err == nil {
					require.Equal(t, want, res, "no error, so the result must be complete")
					return
				}
				var step *Error
				require.ErrorAs(t, err, &step)
				require.Contains(t, stepsOf(p.seen()[i]), step.Op, "%v", err)
				require.NotErrorIs(t, err, ErrCleanup)
			})
		}
	}
}

// faultyRun runs the job through the proxy; the image is absent at its start.
func faultyRun(t *testing.T, p *faultProxy, ref string) (Result, error) {
	t.Helper()
	removeImage(t, ref)
	t.Setenv("DOCKER_HOST", p.host)
	j := Job{
		Image: ref, Cmd: []string{"cat", "/workspace/in"}, Limits: Limits{Network: "none"},
		InputTar: bytes.NewReader(tarOf(t, file{name: "in", body: "input"})),
		Collect:  []string{"/workspace/in"},
	}
	r, err := newRunner(Options{}, faultBounds)
	require.NoError(t, err)
	start := time.Now()
	res, id, err := runWith(context.Background(), r, j)
	require.Less(t, time.Since(start), 15*time.Second)
	require.NoError(t, r.Close())
	assertNothingLeft(t, id)
	return res, err
}

// stepsOf lists the steps to which a failure of a request may be put down.
func stepsOf(request string) []Op {
	_, path, _ := strings.Cut(shortRequest(request), " ")
	switch path {
	case "/_ping", "/info", "/images/create", "/images/ref/json":
		return []Op{OpPull}
	case "/volumes/create", "/containers/job-stage/archive":
		return []Op{OpStage}
	case "/containers/create":
		return []Op{OpStage, OpCreate} // the staging container's, the job's
	case "/containers/job/attach", "/containers/job/wait", "/containers/job/start":
		return []Op{OpStart}
	case "/containers/job/archive":
		return []Op{OpCollect}
	}
	return nil // inspect and removal are repeated: no failure is expected
}
