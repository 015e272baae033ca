package owner

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhoRuns(t *testing.T) {
	require.NotEqual(t, noPlace, Self().place)
	require.True(t, Self().seenBy(Self()))
	require.True(t, Self().runs())

	stat, err := readStat(1)
	require.NoError(t, err)
	require.True(t, Process{place: Self().place, pid: 1, start: stat.start}.runs(), "PID 1, of whatever user")

	o, _, end := neighbour(t)
	require.True(t, o.runs())
	reused := o
	reused.start += "0"
	require.False(t, reused.runs(), "the PID is now another process's")
	end()
	require.False(t, o.runs())
}

// envReplace is how often a child replaces itself by itself, each time when it has read
// a line. There need not be a shell where tests run.
const envReplace = "TEST_REPLACE"

func TestMain(m *testing.M) {
	left, err := strconv.Atoi(os.Getenv(envReplace))
	if err != nil {
		os.Exit(m.Run())
	}
	if left == 0 {
		io.Copy(io.Discard, os.Stdin)
		return
	}
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil { // no more: the rest is the next one's
		os.Exit(1)
	}
	self, err := os.Executable()
	if err == nil {
		os.Setenv(envReplace, strconv.Itoa(left-1))
		err = syscall.Exec(self, os.Args, os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A process that replaces itself, by a new version of itself or by another program, keeps
// its PID and its start. Its runs ended with the old program.
func TestAProcessThatReplacedItself(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envReplace+"=2")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Wait()
	defer stdin.Close()
	stat, err := readStat(cmd.Process.Pid)
	require.NoError(t, err)
	for range 2 {
		o := Process{place: Self().place, pid: cmd.Process.Pid, start: stat.start, load: RandomID()}
		require.Eventually(t, func() bool { o.program = programOf(o.pid); return o.program != "" }, 5*time.Second, time.Millisecond)
		for range 100 {
			require.True(t, o.runs())
		}
		fmt.Fprint(stdin, "x")
		require.Eventually(t, func() bool { return !o.runs() }, 5*time.Second, time.Millisecond)
		now, err := readStat(o.pid)
		require.NoError(t, err)
		require.Equal(t, stat, now, "it is still there")
		o.program = ""
		require.True(t, o.runs(), "of a label without the program it is not known")
	}
	require.NotEmpty(t, Self().program)
}

// A killed process whose parent does not wait for it keeps its PID.
func TestAZombieHasEnded(t *testing.T) {
	o, cmd, _ := neighbour(t)
	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool { return !o.runs() }, 5*time.Second, time.Millisecond)
	stat, err := readStat(o.pid)
	require.NoError(t, err, "it must still be there")
	require.Equal(t, procStat{start: o.start, ended: true}, stat)
}

func TestWhoIsSeen(t *testing.T) {
	me := Process{place: someBoot + "/1/2", pid: 1, start: "1"}
	require.True(t, Process{place: me.place, pid: 2}.seenBy(me))
	for why, place := range map[string]string{
		"another boot":           "11234567-89ab-cdef-0123-456789abcdef/1/2",
		"another PID namespace":  someBoot + "/3/2",
		"another time namespace": someBoot + "/1/3",
		"nowhere":                noPlace,
	} {
		require.False(t, Process{place: place, pid: 1, start: "1"}.seenBy(me), why)
	}
	nobody := Process{place: noPlace}
	require.False(t, nobody.seenBy(nobody), "who sees nobody does not see who else sees nobody")
}
