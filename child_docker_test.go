//go:build docker

package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// The test binary acts as another process that uses this package when its
// environment says so.
const (
	childMode  = "SANDBOX_TEST_CHILD" // what it does, see childMain
	childRun   = "SANDBOX_TEST_RUN"   // its run's ID
	childImage = "SANDBOX_TEST_IMAGE" // its run's image
)

// The modes of a child.
const (
	runsShortly  = "run shortly"  // a job that ends
	runsForever  = "run forever"  // a job that does not
	runsDeadline = "run deadline" // the same, with a deadline of childDeadline
	runsHuge     = "run huge"     // see childHuge
	sweeps       = "sweep"        // a Sweep, whose report it prints
	tellsOwner   = "tell owner"   // nothing; it prints what its labels would say of it
)

// A child's run with a deadline expires soon, but not before it has begun.
var (
	childDeadline = 5 * time.Second
	childBounds   = bounds.Bounds{
		Call: 10 * time.Second, Slow: 2 * time.Second, Stall: 10 * time.Second,
		Stop:    time.Second,
		Drain:   100 * time.Millisecond,
		Writer:  100 * time.Millisecond,
		Slack:   500 * time.Millisecond,
		OOM:     100 * time.Millisecond,
		Reader:  100 * time.Millisecond,
		Cleanup: 3 * time.Second, // a busy engine takes its time to kill
		Grace:   time.Second,
	}
)

// childMain is the child's program. It prints what came of it.
func childMain(mode string) int {
	ctx, b, cmd := context.Background(), bounds.Default(), []string{"sleep", "1000"}
	switch mode {
	case sweeps:
		return childSweep(ctx)
	case tellsOwner:
		fmt.Print(owner.Self())
		return 0
	case runsHuge:
		return childHuge()
	case runsShortly:
		cmd = []string{"cat", "/workspace/in"}
	case runsDeadline:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, childDeadline)
		defer cancel()
		b = childBounds
	}
	r, err := New(Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer r.Close()
	ctx = owner.WithID(bounds.With(ctx, b), os.Getenv(childRun))
	res, err := r.RunOnce(ctx, Job{
		Image: os.Getenv(childImage), Cmd: cmd, Limits: Limits{Network: "none"},
		InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input"})),
		Collect:  []string{"/workspace/in"},
	})
	fmt.Printf("%s, artifact %s, error %v\n", res.Logs, res.Artifacts["/workspace/in"], err)
	return 0
}

func childSweep(ctx context.Context) int {
	r, err := New(Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer r.Close()
	report, err := r.Sweep(ctx)
	fmt.Printf("removed: %q\nleft: %q\nerror: %v\n", report.Removed, report.Left, err)
	return 0
}

// child is another process.
type child struct {
	id    string // its run's
	cmd   *exec.Cmd
	said  bytes.Buffer // to be read after it has ended
	ended chan struct{}
}

// startChild starts a child that uses the engine at host. The command that it
// becomes an argument of, such as unshare, may be empty.
func startChild(t testing.TB, mode, host string, through ...string) *child {
	t.Helper()
	return startChildAs(t, owner.RandomID(), mode, host, through...)
}

func startChildAs(t testing.TB, id, mode, host string, through ...string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := &child{id: id, ended: make(chan struct{})}
	args := append(through, self)
	c.cmd = exec.Command(args[0], args[1:]...)
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.said
	c.cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, childMode+"="+mode, childRun+"="+c.id, childImage+"="+busybox())
	require.NoError(t, c.cmd.Start())
	go func() { c.cmd.Wait(); close(c.ended) }()
	t.Cleanup(c.kill)
	return c
}

// kill sends SIGKILL and returns when the child has ended, as everything that
// writes to its output has.
func (c *child) kill() { c.cmd.Process.Kill(); <-c.ended }

// engineHost is the engine's address, as the tests know it.
func engineHost() string { return api.DaemonHost() }

// endedProcess is the label of a process of this place that has ended.
func endedProcess(t testing.TB) string {
	t.Helper()
	c := startChild(t, tellsOwner, engineHost())
	<-c.ended
	return c.said.String()
}

// inNewPIDs starts a command in a PID namespace of its own, in which it is PID 1.
var inNewPIDs = []string{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"}

// startRunningChild returns when the child's job runs.
func startRunningChild(t *testing.T, mode string, through ...string) *child {
	t.Helper()
	c := startChild(t, mode, engineHost(), through...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	waitRunning(t, ctx, owner.NamePrefix+c.id)
	return c
}

// sweepOnce is a Sweep that must not fail, by a Runner of its own.
func sweepOnce(t testing.TB, b bounds.Bounds) SweepReport {
	t.Helper()
	r, err := New(Options{})
	require.NoError(t, err)
	report, err := r.Sweep(bounds.With(context.Background(), b))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return report
}

// about are the entries of a list that name a run.
func about(id string, list []string) (found []string) {
	for _, entry := range list {
		if strings.Contains(entry, id) {
			found = append(found, entry)
		}
	}
	return found
}
