//go:build docker

package behaviour_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
)

// What is not refused reaches the command, up to the last byte: the kernel's refusal
// would look like the command's own exit.
func TestLongestArguments(t *testing.T) {
	const longest = 128<<10 - 1
	j := runtest.Shell(`echo ${#1} ${#LONG}`)
	j.Cmd = append(j.Cmd, "x", strings.Repeat("x", longest))
	j.Env = map[string]string{"LONG": strings.Repeat("x", longest-len("LONG="))}
	require.Equal(t, "131071 131066\n", runtest.Output(t, j))
}

// The same holds for the sum: the first number that is not refused works.
func TestMostArguments(t *testing.T) {
	const each = 31 + 1 + 8 // bytes, with its end and a pointer
	for count := 2 << 20 / each; ; count-- {
		j := runtest.Shell("echo $#")
		j.Cmd[0] = "/bin/" + strings.Repeat("./", 2000) + "sh" // which the kernel counts once more
		j.Cmd = append(j.Cmd, "x")
		j.Cmd = append(j.Cmd, slices.Repeat([]string{strings.Repeat("x", 31)}, count)...)
		res, err := runtest.Do(t, j)
		if step, failed := runtest.AsError(err); failed && step.Op == sandbox.OpValidate {
			require.ErrorContains(t, err, "Cmd and Env have")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintln(count), string(res.Logs))
		require.Greater(t, count, 50_000)
		return
	}
}
