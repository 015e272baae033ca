//go:build docker

package attacks_test

import (
	"os"
	"testing"

	"github.com/synchestra-io/sandbox/integration/attacks"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// makeAll makes every attack, each as a subtest, and prints the table of outcomes. A
// subtest fails if its attack succeeded or was not made.
func makeAll(t *testing.T, o attacks.Options) {
	t.Helper()
	fixture, err := attacks.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	enginetest.NoteTest()
	all := attacks.All()
	outcomes := make([]attacks.Outcome, len(all))
	t.Cleanup(func() { // when the parallel subtests are over
		if err := attacks.PrintTable(os.Stdout, outcomes); err != nil {
			t.Error(err)
		}
		if err := fixture.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, attack := range all {
		t.Run(attack.Group+"/"+attack.Name, func(t *testing.T) {
			if !attack.Alone {
				t.Parallel()
			}
			outcomes[i] = fixture.Make(t.Context(), attack)
			t.Log(outcomes[i].Log)
			if err := outcomes[i].Err(); err != nil {
				t.Error(err)
			}
		})
	}
}
