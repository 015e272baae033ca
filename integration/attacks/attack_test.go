package attacks

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, attack := range All() {
		name := attack.Group + "/" + attack.Name
		require.False(t, names[name], "%s is there twice", name)
		names[name] = true
		require.NotEmpty(t, attack.Tries, name)
		require.NotEmpty(t, attack.Seen, name)
		require.NotNil(t, attack.try, name)
	}
	require.GreaterOrEqual(t, len(names), 40)
}

// watched is a test that may fail.
type watched struct {
	testing.TB
	failed bool
}

func (w *watched) Helper()               {}
func (w *watched) Log(...any)            {}
func (w *watched) Logf(string, ...any)   {}
func (w *watched) Errorf(string, ...any) { w.failed = true }
func (w *watched) Fatalf(string, ...any) { w.failed = true; runtime.Goexit() }

// The table is worth what it finds: sandboxes that hold, leak, and run nothing.
func TestOutcomes(t *testing.T) {
	attack := by("tries", "seen", "mode")
	here, gvisor, lacking := fixture{}, fixture{gvisor: true}, fixture{refused: map[string]bool{"PIDs": true}}
	for name, c := range map[string]struct {
		fixture fixture
		attack  Attack
		logs    string
		err     error
		want    string // "" = it fails before there is an outcome
		fails   bool
	}{
		"holds":                  {here, attack, "denied: it: no\ndone\n", nil, defended, false},
		"found nothing":          {here, attack, "looked: there\ndone\n", nil, defended, false},
		"leaks":                  {here, attack, "denied: it: no\ngot: it\ndone\n", nil, succeeded + ": it", true},
		"hole":                   {here, attack.knownHole("why"), "got: it\ndone\n", nil, open + ": why", false},
		"hole that did not open": {here, attack.knownHole("why"), "denied: it: no\ndone\n", nil, defended, false},
		"hole of gVisor's":       {gvisor, attack.onGVisor("why"), "got: it\ndone\n", nil, open + ": gVisor: why", false},
		"hole not of gVisor's":   {gvisor, attack.knownHole("why"), "got: it\ndone\n", nil, succeeded + ": it", true},
		"hole of gVisor's alone": {here, attack.onGVisor("why"), "got: it\ndone\n", nil, succeeded + ": it", true},
		"limit that is refused":  {lacking, attack.limitedBy("PIDs"), "got: it\ndone\n", nil, open + ": a job with Limits.PIDs is refused", false},
		"another limit":          {lacking, attack.limitedBy("CPUs"), "got: it\ndone\n", nil, succeeded + ": it", true},
		"no limit":               {lacking, attack, "got: it\ndone\n", nil, succeeded + ": it", true},
		"tried nothing":          {here, attack, "done\n", nil, "", true},
		"was cut off":            {here, attack, "denied: it: no\n", nil, "", true},
		"printed nothing":        {here, attack, "", nil, "", true},
		"tried it wrongly":       {here, attack, "broken: it: invalid argument\ndone\n", nil, "", true},
		"was not run":            {here, attack, "", errors.New("no engine"), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(context.Context, sandbox.Job) (sandbox.Result, error) {
				return sandbox.Result{Logs: []byte(c.logs)}, c.err
			}
			w := &watched{TB: t}
			var outcome string
			made := make(chan struct{})
			go func() {
				defer close(made)
				outcome = c.attack.make(&attackEnv{fixture: c.fixture, t: w, ctx: t.Context(), run: run})
			}()
			<-made
			require.Equal(t, c.want, outcome)
			require.Equal(t, c.fails, w.failed)
		})
	}
}
