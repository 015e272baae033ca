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
	"github.com/synchestra-io/sandbox/internal/owner"
)

// TestFaultAtEveryRequest runs a job with a pull, an input and artifacts as
// often as the clean run has requests and there are faults, each time with one
// fault at one request. With -v it prints what came of each.
func TestFaultAtEveryRequest(t *testing.T) {
	newMatrix(t, faultJob(), requestFaults, "").everywhere(t)
}

// TestFaultAtEveryRequestWithADisk does the same to a job that has everything
// else as well: Stdin, writers, and Limits.DiskMB, which is a container more.
func TestFaultAtEveryRequestWithADisk(t *testing.T) {
	j := faultJob()
	j.Cmd[2] = "cat && " + j.Cmd[2]
	j.Limits.DiskMB = 16
	stdin := strings.Repeat("said\n", 4000)
	m := newMatrix(t, j, diskFaults, stdin)
	require.Equal(t, stdin+"first\nlast\n", m.want.stdout.String())
	require.Equal(t, "warning\n", m.want.stderr.String())
	m.everywhere(t)
}

// everywhere has a case for each request and each fault that applies to it.
func (m *matrix) everywhere(t *testing.T) {
	made := slices.IndexFunc(m.clean, func(x enginetest.Recorded) bool { return x.Text == "POST /volumes/create" })
	for i, x := range m.clean {
		for _, f := range m.columns {
			if !f.applies(x) {
				continue
			}
			t.Run(caseName(i, x.Text, f), func(t *testing.T) {
				j := m.fresh(t)
				t.Parallel()
				o := m.cell(t, i, f, j)
				switch {
				case f == gone:
					m.unreachable(t, x, o, i >= made)
				case f.canceled():
					m.canceled(t, i, o)
				default:
					m.completeOrTrue(t, x, o)
				}
			})
		}
	}
}

// completeOrTrue is the rule for a fault that happens once: all of the result,
// or an error that names the step and no reason that is not there. Nothing is
// left in either case.
func (m *matrix) completeOrTrue(t *testing.T, x enginetest.Recorded, o outcome) {
	t.Helper()
	enginetest.AssertNothingLeft(t, o.id)
	if o.err == nil {
		m.same(t, o)
		return
	}
	runtest.RequireOwnError(t, o.err, stepsOf(x.Text)...)
	require.NotErrorIs(t, o.err, context.Canceled)
	require.NotContains(t, o.err.Error(), "context canceled")
	require.NotErrorIs(t, o.err, sandbox.ErrCleanup)
}

// canceled is the rule for a caller who cancels: nothing is left, and only where
// nothing remains to be broken off is it no error.
func (m *matrix) canceled(t *testing.T, i int, o outcome) {
	t.Helper()
	enginetest.AssertNothingLeft(t, o.id)
	last := i + 1 // the last download can be over, or not
	removals := slices.IndexFunc(m.clean, func(x enginetest.Recorded) bool { return strings.HasPrefix(x.Text, "DELETE ") })
	if o.err == nil {
		require.GreaterOrEqual(t, last, removals, "the run went on")
		m.same(t, o)
		return
	}
	require.Less(t, i, removals, "nothing was broken off: %v", o.err)
	require.ErrorIs(t, o.err, context.Canceled)
	require.NotErrorIs(t, o.err, sandbox.ErrCleanup)
	require.Empty(t, o.res.Artifacts)
}

// unreachable is the rule for an engine that does not come back: what may be
// left is named, and all that is left is among it.
func (m *matrix) unreachable(t *testing.T, x enginetest.Recorded, o outcome, made bool) {
	t.Helper()
	left := enginetest.Objects(t, enginetest.API, owner.LabelRun+"="+o.id)
	runtest.RequireOwnError(t, o.err, append(stepsOf(x.Text), sandbox.OpCleanup)...)
	require.Equal(t, made, errors.Is(o.err, sandbox.ErrCleanup), "%v", o.err)
	for _, object := range left {
		require.ErrorContains(t, o.err, object)
	}
	if step, _ := runtest.AsError(o.err); step.Op == sandbox.OpCleanup {
		m.same(t, o)
	}
}

// TestFaultInTheOutput cuts the output's stream in every place. Where the engine
// would end it as well, after the last write, a cut cannot be told from the end.
func TestFaultInTheOutput(t *testing.T) {
	m := newMatrix(t, faultJob(), streamFaults, "")
	i := slices.IndexFunc(m.clean, func(x enginetest.Recorded) bool { return x.Text == "POST /containers/job/attach" })
	for _, f := range streamFaults {
		t.Run(string(f), func(t *testing.T) {
			j := m.fresh(t)
			t.Parallel()
			if f == streamEarly || f == streamBorder {
				j.Env = map[string]string{pauseEnv: strconv.Itoa(int(stillRunning.Seconds()))}
			}
			o := m.cell(t, i, f, j)
			enginetest.AssertNothingLeft(t, o.id)
			if f == streamEnd && o.err == nil {
				m.same(t, o)
				return
			}
			runtest.RequireOwnError(t, o.err, sandbox.OpStart, sandbox.OpWait)
			require.ErrorIs(t, o.err, sandbox.ErrOutputLost)
			require.NotErrorIs(t, o.err, sandbox.ErrCleanup)
		})
	}
}

// TestTimeoutAtEveryRequest runs a job that sleeps until its timeout. Each
// request from then on is held for longer than the timeout; the kill, which no
// other run has, meets the other faults too.
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
				j := m.fresh(t)
				t.Parallel()
				o := m.cell(t, i, f, j)
				m.completeOrTrue(t, x, o)
			})
		}
	}
}
