//go:build docker

package faults_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// TestFaultAtEveryRequest injects every fault into each request in turn. The job has
// a pull, an input and artifacts. With -v the test prints the outcomes as a table. With
// -short each request gets a third of the faults, and each fault a third of the requests.
func TestFaultAtEveryRequest(t *testing.T) {
	newMatrix(t, faultJob(), requestFaults, "").injectEverywhere(t)
}

// TestFaultAtEveryRequestWithADisk does the same with a job that also has Stdin,
// writers, and Limits.DiskMB, which takes one more container.
func TestFaultAtEveryRequestWithADisk(t *testing.T) {
	j := faultJob()
	j.Cmd[2] = "cat && " + j.Cmd[2]
	j.Limits.DiskMB = 16
	stdin := strings.Repeat("said\n", 4000)
	m := newMatrix(t, j, diskFaults, stdin)
	require.Equal(t, stdin+"first\nlast\n", m.want.stdout.String())
	require.Equal(t, "warning\n", m.want.stderr.String())
	m.injectEverywhere(t)
}

// TestFaultAtEveryRequestWithASetup does the same with a job that has a Setup, which takes
// one more container. What Setup leaves on the way to WorkDir is looked at. With -short only
// the requests get faults that other jobs do not make.
func TestFaultAtEveryRequestWithASetup(t *testing.T) {
	j := faultJob()
	j.Cmd[2], j.WorkDir = "cd /workspace && cat set/up && "+j.Cmd[2], "/workspace/w"
	j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", "cd /workspace && mkdir set && echo set up | tee set/up"}, Network: "none"}
	m := newMatrix(t, j, diskFaults, "")
	require.Equal(t, "set up\n", string(m.want.res.SetupLogs))
	require.Contains(t, string(m.want.res.Logs), "set up\n")
	m.injectEverywhere(t)
}

// ofSetup tells whether a request is made only for a Setup.
func ofSetup(x enginetest.Recorded) bool {
	return strings.Contains(x.Text, "/job-setup") || x.Text == "POST /containers/create" || x.Text == "HEAD /containers/job-stage/archive"
}

// injectEverywhere has a case for each request and each fault that applies to it.
func (m *matrix) injectEverywhere(t *testing.T) {
	made := slices.IndexFunc(m.clean, func(x enginetest.Recorded) bool { return x.Text == "POST /volumes/create" })
	for i, x := range m.clean {
		for column, f := range m.columns {
			if !f.applies(x) || testing.Short() && ((i+column)%3 != 0 || len(m.job.Setup.Cmd) > 0 && !ofSetup(x)) {
				continue
			}
			t.Run(caseName(i, x.Text, f), func(t *testing.T) {
				j := m.newJob(t)
				t.Parallel()
				o := m.inject(t, i, f, j)
				switch {
				case f.forGood():
					m.requireNamesLeftovers(t, x, f, o, i >= made)
					return
				case f.canceled():
					m.requireCanceled(t, i, f, o)
				default:
					m.requireCompleteOrError(t, x, o)
				}
				require.NoError(t, o.closed)
				require.Empty(t, o.left(t))
			})
		}
	}
}

// requireCompleteOrError is the rule for a fault that happens once: either the
// result is complete, or the error names the right step and no wrong reason.
// Nothing is left on the engine in either case.
func (m *matrix) requireCompleteOrError(t *testing.T, x enginetest.Recorded, o outcome) {
	t.Helper()
	enginetest.AssertNothingLeft(t, o.id)
	if o.err == nil {
		m.requireSame(t, o)
		return
	}
	runtest.RequireOwnError(t, o.err, stepsOf(x.Text)...)
	require.NotErrorIs(t, o.err, context.Canceled)
	require.NotContains(t, o.err.Error(), "context canceled")
	require.NotErrorIs(t, o.err, sandbox.ErrCleanup)
}

// requireCanceled is the rule for a caller who cancels: nothing is left on the
// engine, and the run fails unless there was nothing left to interrupt.
func (m *matrix) requireCanceled(t *testing.T, i int, f fault, o outcome) {
	t.Helper()
	enginetest.AssertNothingLeft(t, o.id)
	last := i + 1 // the last download can be over, or not
	if f == cancelAfter {
		last++ // so can a short request, on its heels
	}
	removals := len(m.clean) // those of the end
	for removals > 0 && strings.HasPrefix(m.clean[removals-1].Text, "DELETE ") {
		removals--
	}
	if o.err == nil {
		require.GreaterOrEqual(t, last, removals, "the run went on")
		m.requireSame(t, o)
		return
	}
	require.Less(t, i, removals, "nothing was broken off: %v", o.err)
	require.ErrorIs(t, o.err, context.Canceled)
	require.NotErrorIs(t, o.err, sandbox.ErrCleanup)
	require.Empty(t, o.res.Artifacts)
}

// requireNamesLeftovers is the rule for an engine that does not come back: the error
// names everything that is left on the engine.
func (m *matrix) requireNamesLeftovers(t *testing.T, x enginetest.Recorded, f fault, o outcome, made bool) {
	t.Helper()
	for _, object := range o.left(t) {
		require.ErrorContains(t, errors.Join(o.err, o.closed), object)
	}
	if o.closed != nil {
		runtest.RequireOwnError(t, o.closed, sandbox.OpCleanup)
		require.ErrorIs(t, o.closed, sandbox.ErrCleanup)
	}
	if o.err == nil { // it came to its end before
		require.Error(t, o.closed)
		m.requireSame(t, o)
		return
	}
	steps := append(stepsOf(x.Text), sandbox.OpCleanup)
	if slices.Contains(steps, sandbox.OpStage) || slices.Contains(steps, sandbox.OpCreate) {
		steps = append(steps, sandbox.OpStage, sandbox.OpCreate) // the input goes in while a container is created
	}
	runtest.RequireOwnError(t, o.err, steps...)
	require.Equal(t, made, errors.Is(o.err, sandbox.ErrCleanup), "%v", o.err)
	if step, _ := runtest.AsError(o.err); step.Op == sandbox.OpCleanup {
		m.requireSame(t, o)
	} else {
		require.Equal(t, f == cancelMute, errors.Is(o.err, context.Canceled), "%v", o.err)
	}
}

// TestFaultInTheOutput cuts the output stream at every kind of position, before the start
// of a job that ends soon or long before the end of one that goes on. After the last
// write, where the engine would end the stream too, a cut looks like the end.
func TestFaultInTheOutput(t *testing.T) {
	m := newMatrix(t, faultJob(), streamFaults, "")
	i := slices.IndexFunc(m.clean, func(x enginetest.Recorded) bool { return x.Text == "POST /containers/job/attach" })
	for _, f := range streamFaults {
		t.Run(string(f), func(t *testing.T) {
			j := m.newJob(t)
			t.Parallel()
			if f == streamEarly || f == streamBorder {
				j.Env = map[string]string{pauseEnv: strconv.Itoa(int(stillRunning.Seconds()))}
			}
			o := m.inject(t, i, f, j)
			require.NoError(t, o.closed)
			require.Empty(t, o.left(t))
			if f == streamEnd && o.err == nil {
				m.requireSame(t, o)
				return
			}
			runtest.RequireOwnError(t, o.err, sandbox.OpStart, sandbox.OpWait)
			require.ErrorIs(t, o.err, sandbox.ErrOutputLost)
			require.NotErrorIs(t, o.err, sandbox.ErrCleanup)
		})
	}
}

// TestTimeoutAtEveryRequest runs a job that sleeps until its timeout, and holds each
// request from then on for longer than the timeout. The kill, a request that no
// other test has, also gets the other faults.
func TestTimeoutAtEveryRequest(t *testing.T) {
	j := faultJob()
	j.Env[pauseEnv] = "60"
	j.Limits.Timeout = faultTimeout
	columns := []fault{held, refuse, dropAnswer, late, never, html, html404}
	m := newMatrix(t, j, columns, "")
	require.True(t, m.want.res.TimedOut)
	require.Equal(t, runtest.Killed, m.want.res.ExitCode)
	first := slices.IndexFunc(m.clean, func(x enginetest.Recorded) bool { return x.Text == "POST /containers/job/wait" })
	for i, x := range m.clean {
		for _, f := range columns {
			if i < first || f != held && !strings.HasSuffix(x.Text, "/kill") {
				continue
			}
			t.Run(caseName(i, x.Text, f), func(t *testing.T) {
				j := m.newJob(t)
				t.Parallel()
				o := m.inject(t, i, f, j)
				m.requireCompleteOrError(t, x, o)
				require.NoError(t, o.closed)
				require.Empty(t, o.left(t))
			})
		}
	}
}
