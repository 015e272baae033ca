//go:build docker && stress

package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

const (
	stressCallers = 200
	stressTime    = time.Minute // a quarter of it with -short
	stressAtOnce  = 12          // containers: more would only wait for the engine
)

// TestStress has many callers of one Runner, most of whom lose their patience at some
// moment, beside Sweeps without end, and closes the Runner under all of them. It is
// built with the race detector.
func TestStress(t *testing.T) {
	enginetest.CheckGoroutines(t)
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	s := &stress{Runner: r, engine: make(chan struct{}, stressAtOnce), over: make(chan struct{})}
	end := stressTime
	if testing.Short() {
		end /= 4
	}
	time.AfterFunc(end, func() {
		defer close(s.over)
		for !s.enough() && !t.Failed() { // of a busy machine's
			<-time.After(50 * time.Millisecond)
		}
	})
	var callers sync.WaitGroup
	for i := range stressCallers {
		callers.Go(func() { s.call(t, rand.New(rand.NewPCG(1, uint64(i)))) })
	}
	callers.Go(func() { s.sweep(t) })
	<-s.over
	require.NoError(t, r.Close())
	callers.Wait()
	t.Logf("%d runs ended by themselves, %d were canceled, %d were closed", s.ended.Load(), s.canceled.Load(), s.closed.Load())
	require.True(t, s.enough())
	require.Empty(t, enginetest.Objects(t, enginetest.API, owner.LabelOwner+"="+owner.Self().String()))
}

type stress struct {
	*sandbox.Runner
	engine                  chan struct{} // held for a run that may make containers
	over                    chan struct{} // closed before the Runner is
	ended, canceled, closed atomic.Int64
}

// enough tells whether runs of both kinds have ended often enough to say anything.
func (s *stress) enough() bool { return s.ended.Load() > 50 && s.canceled.Load() > 50 }

// call runs jobs until the Runner is closed.
func (s *stress) call(t *testing.T, random *rand.Rand) {
	for !t.Failed() {
		ctx, cancel := context.WithCancel(context.Background())
		patience := time.Duration(random.Int64N(int64(2 * time.Second)))
		if random.IntN(3) > 0 {
			time.AfterFunc(patience, cancel)
		}
		err := s.run(t, ctx, random.IntN(5), fmt.Sprint(random.Uint64()))
		cancel()
		if errors.Is(err, sandbox.ErrClosed) {
			return
		}
	}
}

// run runs one job of a kind. Its result is right, or its caller canceled it, or the
// Runner is closed.
func (s *stress) run(t *testing.T, ctx context.Context, kind int, token string) error {
	j := runtest.Shell("cat /workspace/in; echo " + token + " >/workspace/out; exit 3")
	want := sandbox.Result{ExitCode: 3, Logs: []byte(token + "\n"), Artifacts: map[string][]byte{"/workspace/out": []byte(token + "\n")}}
	switch kind {
	case 0, 1:
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: token + "\n"}))
		j.Collect = []string{"/workspace/out"}
	case 2:
		j = runtest.Shell("cat; echo " + token)
		j.Stdin = strings.NewReader(token + "\n")
		want = sandbox.Result{Logs: []byte(token + "\n" + token + "\n")}
	case 3:
		j = runtest.Shell("echo " + token + "; sleep 1000")
		j.Limits.Timeout = 10 * time.Second
		want = sandbox.Result{ExitCode: runtest.Killed, TimedOut: true, Logs: []byte(token + "\n")}
	default:
		j.Image = "sha256:" + strings.Repeat("0", 64)
	}
	if kind < 4 {
		select {
		case s.engine <- struct{}{}:
			defer func() { <-s.engine }()
		case <-ctx.Done(): // and on, to see what a run does of which nothing has begun
		}
	}
	res, err := s.RunOnce(ctx, j)
	switch {
	case errors.Is(err, sandbox.ErrCleanup):
		t.Errorf("%s: %v", token, err)
	case errors.Is(err, sandbox.ErrClosed):
		s.closed.Add(1)
		select {
		case <-s.over:
		default:
			t.Errorf("%s: closed too early: %v", token, err)
		}
	case errors.Is(err, context.Canceled):
		s.canceled.Add(1)
		if ctx.Err() == nil {
			t.Errorf("%s: nobody canceled it: %v", token, err)
		}
	case kind == 4:
		if step, _ := runtest.AsError(err); step == nil || step.Op != sandbox.OpPull {
			t.Errorf("%s: %v", token, err)
		}
	case err != nil:
		t.Errorf("%s: %v", token, err)
	default:
		s.ended.Add(1)
		res.Duration, res.ImageID = 0, ""
		if fmt.Sprint(want) != fmt.Sprint(res) {
			t.Errorf("%s: got %+v, want %+v", token, res, want)
		}
	}
	return err
}

// sweep sweeps until the Runner is closed. No run is over for it.
func (s *stress) sweep(t *testing.T) {
	for {
		report, err := s.Sweep(context.Background())
		if len(report.Removed) > 0 {
			t.Errorf("a Sweep removed %q", report.Removed)
		}
		if errors.Is(err, sandbox.ErrClosed) {
			return
		}
		if err != nil {
			t.Errorf("Sweep: %v", err)
			return
		}
	}
}
