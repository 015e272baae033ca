package attacks

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// Run makes every attack on a sandbox, each as a subtest, and prints the table
// with the outcomes. The attacks' image is imported into the engine that
// DOCKER_HOST names, which must be the one that run uses, on this machine; the go
// command is needed, and must be called in this module.
func Run(t *testing.T, run runner) {
	t.Helper()
	attacks := All()
	outcomes := make([]string, len(attacks))
	t.Cleanup(func() { printTable(attacks, outcomes) })
	fixture := newFixture(t)
	fixture.refused, fixture.gvisor = refusedLimits(t, fixture.image, run), isGVisor(t, fixture.image, run)
	for i, attack := range attacks {
		t.Run(attack.Group+"/"+attack.Name, func(t *testing.T) {
			if !attack.alone {
				t.Parallel()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			outcomes[i] = notMade
			outcomes[i] = attack.make(&attackEnv{fixture: fixture, t: t, ctx: ctx, run: fixture.without(run)})
		})
	}
}

// The outcomes. What follows a colon is the reason.
const (
	defended   = "defended"
	notOffered = "not offered by this kernel"
	open       = "not enforceable here"
	succeeded  = "SUCCEEDED"
	notMade    = "NOT MADE"
)

// make returns the outcome.
func (t Attack) make(a *attackEnv) string {
	a.t.Helper()
	won := t.try(a)
	hole := t.hole
	if a.gvisor {
		hole = t.gvisor
	}
	switch {
	case len(won) > 0 && hole != "":
		return open + ": " + hole
	case len(won) > 0 && a.refused[t.needs]:
		return open + ": a job with Limits." + t.needs + " is refused"
	case len(won) > 0:
		a.t.Errorf("the attacker succeeded\ntries:  %s\nwanted: %s\ngot:    %s", t.Tries, t.Seen, strings.Join(won, "\n        "))
		return succeeded + ": " + won[0]
	case t.outside != nil && !a.gvisor && len(a.outside(t.outside...)) == 0:
		return notOffered + ": refused outside the sandbox too"
	}
	return defended
}

func printTable(attacks []Attack, outcomes []string) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	count := map[string]int{}
	fmt.Fprintln(w, "GROUP\tATTACK\tTRIES\tMUST BE SEEN\tOUTCOME")
	for i, attack := range attacks {
		if outcomes[i] == "" {
			continue // not selected
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", attack.Group, attack.Name, attack.Tries, attack.Seen, outcomes[i])
		kind, _, _ := strings.Cut(outcomes[i], ":")
		count[kind]++
	}
	fmt.Fprintln(w)
	for _, kind := range []string{defended, notOffered, open, succeeded, notMade} {
		fmt.Fprintf(w, "%d %s\n", count[kind], kind)
	}
}
