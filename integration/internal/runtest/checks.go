package runtest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

// Killed is the exit status after SIGKILL.
const Killed = 128 + 9

// RequireStep fails the test unless err names one of the steps.
func RequireStep(t testing.TB, err error, steps ...sandbox.Op) *sandbox.Error {
	t.Helper()
	step, found := AsError(err)
	require.True(t, found, "%v", err)
	require.Contains(t, steps, step.Op, "%v", err)
	return step
}

// RequireOwnError is RequireStep for a run whose caller set no deadline: the error
// has a cause, and does not blame a deadline.
func RequireOwnError(t testing.TB, err error, steps ...sandbox.Op) {
	t.Helper()
	step := RequireStep(t, err, steps...)
	require.NotEmpty(t, step.Err.Error())
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.NotContains(t, err.Error(), "deadline exceeded")
}

// AsError is err as the error of a step, which every error of a run is.
func AsError(err error) (step *sandbox.Error, is bool) {
	step, is = err.(*sandbox.Error)
	return step, is
}

// SortedLines returns the lines of a text whose order is not fixed.
func SortedLines(text []byte) []string { return slices.Sorted(strings.Lines(string(text))) }

// WriterFunc is a caller's writer.
type WriterFunc func([]byte) (int, error)

func (f WriterFunc) Write(p []byte) (int, error) { return f(p) }

// ReaderFunc is a caller's reader.
type ReaderFunc func([]byte) (int, error)

func (f ReaderFunc) Read(p []byte) (int, error) { return f(p) }
