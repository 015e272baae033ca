package rules

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/integration/attacks"
)

// SECURITY.md lists every attack of the suite once, and no other; the README states
// their number.
func TestSecurityNamesEveryAttack(t *testing.T) {
	text, err := os.ReadFile(root + "/SECURITY.md")
	require.NoError(t, err)
	var named, made []string
	for _, m := range regexp.MustCompile("`([a-z]+/[a-z-]+)`").FindAllSubmatch(text, -1) {
		named = append(named, string(m[1]))
	}
	for _, a := range attacks.All() {
		made = append(made, a.Group+"/"+a.Name)
	}
	require.ElementsMatch(t, made, named)

	require.Contains(t, readme(t), fmt.Sprintf("All %d attacks fail or are listed", len(made)))
}
