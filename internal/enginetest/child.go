package enginetest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/owner"
)

// Tasks are what a child process can do, by name. They return its exit status.
type Tasks map[string]func() int

// The environment of a child process.
const (
	envTask  = "SANDBOX_TEST_TASK"
	envRun   = "SANDBOX_TEST_RUN"
	envImage = "SANDBOX_TEST_IMAGE"
)

// Child is another process: the test binary, started again to do one task.
type Child struct {
	RunID  string // the ID for its run
	Cmd    *exec.Cmd
	Output bytes.Buffer  // of both streams, to be read after it has ended
	Ended  chan struct{} // closed when it has
}

// ChildRun returns, in a child, the ID for its run and an image with a shell.
func ChildRun() (id, image string) { return os.Getenv(envRun), os.Getenv(envImage) }

// StartChild starts a child that uses the engine at host. through is a command that
// runs the child, which is appended to it, such as InNewPIDNamespace. At the test's
// end the child is killed.
func StartChild(t testing.TB, task, host string, through ...string) *Child {
	t.Helper()
	return StartChildAs(t, owner.RandomID(), task, host, through...)
}

// StartChildAs is StartChild with an ID for the child's run.
func StartChildAs(t testing.TB, id, task, host string, through ...string) *Child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &Child{RunID: id, Ended: make(chan struct{})}
	args := append(through, self)
	c.Cmd = exec.Command(args[0], args[1:]...)
	c.Cmd.Stdout, c.Cmd.Stderr = &c.Output, &c.Output
	c.Cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, envTask+"="+task, envRun+"="+c.RunID, envImage+"="+Busybox())
	require.NoError(t, c.Cmd.Start())
	go func() { c.Cmd.Wait(); close(c.Ended) }()
	t.Cleanup(c.Kill)
	return c
}

// Kill sends SIGKILL and returns when the child has ended, as everything that
// writes to its output has.
func (c *Child) Kill() { c.Cmd.Process.Kill(); <-c.Ended }

// InNewPIDNamespace is a command that runs another in a PID namespace of its own, in
// which that one is PID 1.
var InNewPIDNamespace = []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}
