//go:build docker

package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// The tasks of child processes. Each prints what came of it.
const (
	runShortly  = "run shortly"  // a job that ends
	runForever  = "run forever"  // a job that does not
	runDeadline = "run deadline" // the same, with a deadline in childTime
	runTimeout  = "run timeout"  // the same, with a Timeout of childTime
	runOnDisk   = "run on disk"  // the same, with a disk
	runSetup    = "run setup"    // a job whose Setup does not end, with a Timeout of childTime for that alone
	runBoth     = "run both"     // a job that ends, after a Setup that does
	runFar      = "run far"      // the same, with the longest Timeout and a deadline in the year 9999
	sweep       = "sweep"        // a Sweep
	tellOwner   = "tell owner"   // nothing: it prints its own label
)

var tasks = enginetest.Tasks{
	runShortly: func() int { return childRun(context.Background(), sandbox.Limits{}, "cat", "/workspace/in") },
	runForever: func() int { return childRun(context.Background(), sandbox.Limits{}, "sleep", "1000") },
	runDeadline: func() int {
		ctx, cancel := context.WithTimeout(context.Background(), childTime)
		defer cancel()
		return childRun(ctx, sandbox.Limits{}, "sleep", "1000")
	},
	runTimeout: func() int {
		return childRun(context.Background(), sandbox.Limits{Timeout: childTime}, "sleep", "1000")
	},
	runOnDisk: func() int {
		return childRun(context.Background(), sandbox.Limits{Timeout: childTime, DiskMB: 16}, "sleep", "1000")
	},
	runSetup: func() int {
		return childJob(context.Background(), sandbox.Job{Cmd: []string{"true"}, Setup: sandbox.Setup{Cmd: []string{"sleep", "1000"}, Timeout: childTime}})
	},
	runBoth: func() int {
		return childJob(context.Background(), sandbox.Job{
			Cmd: []string{"cat", "/workspace/in"}, WorkDir: "/workspace/w",
			Setup: sandbox.Setup{Cmd: []string{"sh", "-c", "echo set up >>/workspace/in"}},
		})
	},
	runFar: func() int {
		ctx, cancel := context.WithDeadline(context.Background(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
		defer cancel()
		return childRun(ctx, sandbox.Limits{Timeout: math.MaxInt64}, "sleep", "1000")
	},
	sweep: childSweep,
	tellOwner: func() int {
		fmt.Print(owner.Self())
		return 0
	},
}

// childTime is longer than any test: Sweep is told that it has passed.
const childTime = 20 * time.Minute

func childRun(ctx context.Context, limits sandbox.Limits, cmd ...string) int {
	return childJob(ctx, sandbox.Job{Cmd: cmd, Limits: limits})
}

// childJob runs a job with an input and an artifact.
func childJob(ctx context.Context, j sandbox.Job) int {
	r, err := sandbox.New(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer r.Close()
	id, image := enginetest.ChildRun()
	j.Image, j.Limits.Network = image, "none"
	if len(j.Setup.Cmd) > 0 {
		j.Setup.Network = "none"
	}
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input"}))
	j.Collect = []string{"/workspace/in"}
	res, err := r.RunOnce(owner.WithID(ctx, id), j)
	fmt.Printf("%s, artifact %s, error %v\n", res.Logs, res.Artifacts["/workspace/in"], err)
	return 0
}

func childSweep() int {
	r, err := sandbox.New(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer r.Close()
	report, err := r.Sweep(context.Background())
	fmt.Printf("removed: %q\nleft: %q\nerror: %v\n", report.Removed, report.Left, err)
	return 0
}

// endedProcess is the owner label of a process that has ended.
func endedProcess(t testing.TB) string {
	t.Helper()
	c := enginetest.StartChild(t, tellOwner, enginetest.Host())
	<-c.Ended
	return c.Output.String()
}

// startRunningChild starts a child and waits until its job runs.
func startRunningChild(t *testing.T, task string, through ...string) *enginetest.Child {
	t.Helper()
	c := enginetest.StartChild(t, task, enginetest.Host(), through...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	enginetest.WaitRunning(t, ctx, commandOf(c, task))
	return c
}

// commandOf is the name of the container that does not end.
func commandOf(c *enginetest.Child, task string) string {
	name := owner.NamePrefix + c.RunID
	if task == runSetup {
		name = owner.SetupName(name)
	}
	return name
}

// sweepOnce runs a Sweep with a Runner of its own. It must not fail.
func sweepOnce(t testing.TB) sandbox.SweepReport {
	t.Helper()
	return sweepWith(t, bounds.Default())
}

// sweepAt is sweepOnce for a Sweep that takes another time for the present, less the
// grace. It concerns every run that expires, so nothing may run beside it.
func sweepAt(t testing.TB, present time.Time) sandbox.SweepReport {
	t.Helper()
	b := bounds.Default()
	b.Grace = -time.Until(present)
	return sweepWith(t, b)
}

func sweepWith(t testing.TB, b bounds.Bounds) sandbox.SweepReport {
	t.Helper()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	report, err := r.Sweep(bounds.With(context.Background(), b))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return report
}

// about returns the entries of a list that name a run.
func about(id string, list []string) (found []string) {
	for _, entry := range list {
		if strings.Contains(entry, id) {
			found = append(found, entry)
		}
	}
	return found
}
