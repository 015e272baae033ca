package owner

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// neighbour starts another process of this place, which runs until end. A second
// end does no harm.
func neighbour(t testing.TB) (o Process, cmd *exec.Cmd, end func()) {
	t.Helper()
	cmd = exec.Command("gofmt") // reads its input, and is there wherever tests are built
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stat, err := readStat(cmd.Process.Pid)
	require.NoError(t, err)
	end = func() { stdin.Close(); cmd.Wait() }
	t.Cleanup(end)
	return Process{place: Self().place, pid: cmd.Process.Pid, start: stat.start, load: RandomID()}, cmd, end
}

// endedOwner is a process of this place that has ended.
func endedOwner(t testing.TB) Process {
	t.Helper()
	o, _, end := neighbour(t)
	end()
	return o
}

const someBoot = "01234567-89ab-cdef-0123-456789abcdef"

func TestOwnerText(t *testing.T) {
	for _, o := range []Process{
		Self(),
		{place: noPlace, start: "0", load: RandomID()},
		{place: someBoot + "/1/2", pid: 3, start: "4", program: "0123456789abcdef", load: RandomID()},
		{place: someBoot + "/4026531836/0", pid: 4194304, start: "18446744073709551615", load: RandomID()},
	} {
		parsed, known := parse(o.String())
		require.True(t, known, o)
		require.Equal(t, o, parsed)
	}
}

func TestOwnerTextThatIsNone(t *testing.T) {
	load := strings.Repeat("0", 32)
	good := someBoot + "/1/2/3/4/" + load
	_, known := parse(good)
	require.True(t, known)
	for _, text := range []string{
		"", "unknown", "unknown/1/2", "elsewhere/1/2/" + load,
		"1/2/3/4/" + load,                                   // no boot ID
		someBoot + "/1/3/4/" + load,                         // one namespace
		someBoot + "/1/2/3/4/",                              // no load
		someBoot + "/1/2/3/4/0123/" + load,                  // half a program
		someBoot + "/1/2/-3/4/" + load,                      // a process group
		someBoot + "/1/2/99999999999999999999999/4/" + load, // no PID is that large
		strings.ToUpper(good), " " + good, good + "\n", good + "0", good + "/5",
	} {
		_, known := parse(text)
		require.False(t, known, "%q", text)
	}
}
