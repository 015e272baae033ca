package behaviour_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/behaviour"
)

func TestCasesHaveNamesAndPromises(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range behaviour.Cases("image") {
		require.Regexp(t, `^[a-z]+/[a-z-]+$`, c.Name)
		require.Regexp(t, `^[A-Z].*\.$`, c.Promise, c.Name)
		require.False(t, seen[c.Name], "two cases are called %s", c.Name)
		seen[c.Name] = true
	}
}

// A check that passes whatever happens would promise nothing.
func TestCasesFailWhereNothingRuns(t *testing.T) {
	for _, c := range behaviour.Cases("image") {
		t.Run(c.Name, func(t *testing.T) {
			for name, run := range map[string]behaviour.RunFunc{
				"an empty result": func(context.Context, sandbox.Job) (sandbox.Result, error) { return sandbox.Result{}, nil },
				"an error": func(context.Context, sandbox.Job) (sandbox.Result, error) {
					return sandbox.Result{ExitCode: -1}, &sandbox.Error{Op: sandbox.OpPull, Err: errors.New("no engine")}
				},
			} {
				require.ErrorContains(t, c.Check(t.Context(), run), c.Name+": ", name)
			}
		})
	}
}
