package attacks

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, a := range All() {
		name := a.Group + "/" + a.Name
		require.False(t, names[name], "%s is in the table twice", name)
		names[name] = true
		require.NotEmpty(t, a.Tries, name)
		require.NotEmpty(t, a.Expected, name)
		require.NotNil(t, a.attempt, name)
	}
	require.Len(t, names, 149)
}

// The suite must tell apart a sandbox that holds, one that leaks, and one in which
// nothing runs.
func TestOutcomes(t *testing.T) {
	attack := probeAttack("mode", "tries", "expected")
	linux, gvisor, noPIDs := Fixture{}, Fixture{gvisor: true}, Fixture{refused: map[string]bool{"PIDs": true}}
	for name, c := range map[string]struct {
		fixture Fixture
		attack  Attack
		output  string
		err     error
		want    string // a prefix
		fails   bool
	}{
		"holds":                       {linux, attack, "denied: it: no\ndone\n", nil, "defended", false},
		"found nothing":               {linux, attack, "looked: there\ndone\n", nil, "defended", false},
		"leaks":                       {linux, attack, "denied: it: no\ngot: it\ndone\n", nil, "SUCCEEDED: it", true},
		"hole":                        {linux, attack.knownHole("why"), "got: it\ndone\n", nil, "not enforceable here: why", false},
		"hole that is closed":         {linux, attack.knownHole("why"), "denied: it: no\ndone\n", nil, "defended", false},
		"hole of gVisor":              {gvisor, attack.knownHoleOfGVisor("why"), "got: it\ndone\n", nil, "not enforceable here: gVisor: why", false},
		"hole that gVisor has not":    {gvisor, attack.knownHole("why"), "got: it\ndone\n", nil, "SUCCEEDED: it", true},
		"hole that only gVisor has":   {linux, attack.knownHoleOfGVisor("why"), "got: it\ndone\n", nil, "SUCCEEDED: it", true},
		"limit that is refused":       {noPIDs, attack.preventedBy("PIDs"), "got: it\ndone\n", nil, "not enforceable here: a job with Limits.PIDs is refused", false},
		"another limit":               {noPIDs, attack.preventedBy("CPUs"), "got: it\ndone\n", nil, "SUCCEEDED: it", true},
		"no limit":                    {noPIDs, attack, "got: it\ndone\n", nil, "SUCCEEDED: it", true},
		"probe that tried nothing":    {linux, attack, "done\n", nil, "NOT MADE: the probe did not come to its end", true},
		"probe that was cut off":      {linux, attack, "denied: it: no\n", nil, "NOT MADE: the probe did not come to its end", true},
		"probe that printed nothing":  {linux, attack, "", nil, "NOT MADE: the probe did not come to its end", true},
		"probe that made a mistake":   {linux, attack, "broken: it: invalid argument\ndone\n", nil, "NOT MADE: the attempt of the probe was wrong", true},
		"engine that does not answer": {linux, attack, "", errors.New("no engine"), `NOT MADE: ["/probe" "mode"] was not run: no engine`, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.fixture.sandbox = func(context.Context, sandbox.Job) (sandbox.Result, error) {
				return sandbox.Result{Logs: []byte(c.output)}, c.err
			}
			o := c.fixture.Make(t.Context(), c.attack)
			require.True(t, strings.HasPrefix(o.String(), c.want), o)
			require.NotContains(t, o.String(), "\n", "it is a cell of the table")
			require.Equal(t, c.fails, o.Err() != nil)
		})
	}
}

func TestLogIsText(t *testing.T) {
	f := Fixture{sandbox: func(context.Context, sandbox.Job) (sandbox.Result, error) {
		return sandbox.Result{Logs: []byte("looked: \x00\xff\x1b[2J\tü\ndone\n")}, nil
	}}
	o := f.Make(t.Context(), probeAttack("mode", "tries", "expected"))
	require.Contains(t, o.Log, "looked: .\ufffd.[2J\tü\ndone\n")
}

// A mistake in the suite must not pass for an attack that cannot be made.
func TestPanicIsNoOutcome(t *testing.T) {
	var f Fixture
	attack := Attack{attempt: func(*attackEnv) []string { panic("mistake") }}
	require.PanicsWithValue(t, "mistake", func() { f.Make(t.Context(), attack) })
}

// The other run must end although the attack is aborted.
func TestAbortEndsTheOtherRun(t *testing.T) {
	ended := false
	f := Fixture{sandbox: func(ctx context.Context, j sandbox.Job) (sandbox.Result, error) {
		_, err := j.Stdout.Write([]byte("ready\n"))
		require.NoError(t, err)
		n, err := j.Stdin.Read(make([]byte, 1))
		require.Zero(t, n)
		require.Error(t, err)
		ended = true
		return sandbox.Result{}, nil
	}}
	o := f.Make(t.Context(), Attack{attempt: func(e *attackEnv) []string {
		e.duringOtherRun(e.job(), "nothing", "nothing", func() { e.abort("why") })
		return nil
	}})
	require.Equal(t, "NOT MADE: why", o.String())
	require.True(t, ended)
}

func TestPrintTable(t *testing.T) {
	attack := Attack{Group: "g", Name: "n", Tries: "t", Expected: "e"}
	var table strings.Builder
	require.NoError(t, PrintTable(&table, []Outcome{{Attack: attack, Kind: Defended}, {}, {Attack: attack, Kind: Succeeded, Reason: "r"}}))
	require.Equal(t, `GROUP  ATTACK  TRIES  EXPECTED  OUTCOME
g      n       t      e         defended
g      n       t      e         SUCCEEDED: r

1 defended
0 not offered by this kernel
0 not enforceable here
1 SUCCEEDED
0 NOT MADE
`, table.String())
}
