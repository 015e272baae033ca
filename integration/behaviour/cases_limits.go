package behaviour

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

var limitCases = []Case{{
	Name:    "limits/memory",
	Promise: "A command that needs more than Limits.MemoryMB is killed, and OOMKilled is set.",
	Alone:   true, // a busy engine loses reports, so it is tried again, too
	check: func(t trial) error {
		j := t.shell("exec tail -c 200000000 /dev/zero")
		j.Limits.MemoryMB, j.Limits.Timeout = 32, time.Minute
		res, err := t.do(j)
		for again := 0; err == nil && !res.OOMKilled && again < 5; again++ {
			res, err = t.do(j)
		}
		return errors.Join(noError(err), equal("exit status", res.ExitCode, 137),
			equal("OOMKilled", res.OOMKilled, true), equal("TimedOut", res.TimedOut, false))
	},
}, {
	Name:    "limits/processes",
	Promise: "There are no more processes at a time than Limits.PIDs, the init included.",
	check: func(t trial) error {
		// Where a shell cannot fork it ends, so the loop has one of its own.
		j := t.shell("exec 2>/dev/null; list=$(seq 100); (for i in $list; do sleep 1000 & done); set -- /proc/[0-9]*; echo $#")
		j.Limits.PIDs, j.Limits.Timeout = 10, time.Minute
		res, err := t.do(j)
		return errors.Join(noError(err), equal("processes left of the loop", string(res.Logs), "9\n"))
	},
}, {
	Name:    "limits/cpus",
	Promise: "Limits.CPUs is the quota of the command's cgroup.",
	check: func(t trial) error {
		j := t.shell("cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || echo $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us)")
		j.Limits.CPUs = 0.5
		return t.prints(j, "50000 100000\n")
	},
}, {
	Name:    "limits/disk",
	Promise: "Limits.DiskMB caps what the command writes, in all directories in sum, and DiskFull is set.",
	check: func(t trial) error {
		j := t.shell("exec 2>&1; for d in /workspace /tmp /dev/shm; do dd if=/dev/zero of=$d/big bs=1M count=6 && echo fits; done")
		j.Limits.DiskMB = 16
		res, err := t.do(j)
		return errors.Join(noError(err), equal("DiskFull", res.DiskFull, true), equal("files that fit", strings.Count(string(res.Logs), "fits"), 2),
			equal(fmt.Sprintf("output %q has a reason", res.Logs), strings.Contains(string(res.Logs), "No space left on device"), true))
	},
}, {
	Name:    "limits/disk-room-again",
	Promise: "DiskFull is not set for a command that met the cap and made room again.",
	check: func(t trial) error {
		j := t.shell("exec 2>&1; for i in 1 2; do dd if=/dev/zero of=/tmp/$i bs=1M count=10; done; rm /tmp/2")
		j.Limits.DiskMB = 16
		res, err := t.do(j)
		return errors.Join(noError(err), equal("DiskFull", res.DiskFull, false),
			equal("the cap was met", strings.Contains(string(res.Logs), "No space left on device"), true))
	},
}}

var endingCases = []Case{{
	Name:    "timeout/kills",
	Promise: "At Limits.Timeout the command is killed, which is no error: output and artifacts up to then are kept.",
	check: func(t trial) error {
		res, err := t.collect(func(j *sandbox.Job) { j.Limits.Timeout = time.Second },
			"trap '' TERM INT HUP; echo 42 >answer; echo before; sleep 1000; echo after", "answer")
		return errors.Join(noError(err), equal("TimedOut", res.TimedOut, true), equal("exit status", res.ExitCode, 137),
			equal("OOMKilled", res.OOMKilled, false), equal("output", string(res.Logs), "before\n"),
			equal("Artifacts", texts(res), map[string]string{"/workspace/answer": "42\n"}))
	},
}, {
	Name:    "timeout/not-reached",
	Promise: "A command that ends before Limits.Timeout has its own status and no TimedOut, also after a kill of its own.",
	check: func(t trial) error {
		var errs []error
		for script, status := range map[string]int{"exit 3": 3, "exit 137": 137, "kill -9 $$": 137} {
			j := t.shell(script)
			j.Limits.Timeout = time.Minute
			res, err := t.do(j)
			errs = append(errs, noError(err), equal("exit status of "+script, res.ExitCode, status), equal("TimedOut of "+script, res.TimedOut, false))
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "timeout/endless-output",
	Promise: "Endless output does not hold up the timeout.",
	check: func(t trial) error {
		j := t.shell("yes")
		j.Limits.Timeout, j.Limits.LogBytes = time.Second, 1<<10
		res, err := t.do(j)
		return errors.Join(noError(err), equal("TimedOut", res.TimedOut, true), equal("output was dropped", res.LogsDropped > 0, true))
	},
}, {
	Name:    "timeout/covers-the-command",
	Promise: "Limits.Timeout starts with the command: a slow input does not count.",
	check: func(t trial) error {
		j := t.shell("echo ran")
		j.InputTar = io.MultiReader(pause(1500*time.Millisecond), bytes.NewReader(tarball.Of(tarball.File{Name: "a"})))
		j.Limits.Timeout = time.Second
		res, err := t.do(j)
		return errors.Join(noError(err), equal("TimedOut", res.TimedOut, false), equal("output", string(res.Logs), "ran\n"))
	},
}, {
	Name:    "cancel/while-running",
	Promise: "The end of the context ends the run with the context's error; output up to then is kept, and no artifacts.",
	check: func(t trial) error {
		ctx, cancel := context.WithCancel(t.ctx)
		defer cancel()
		j := t.shell("read x; echo 42 >/workspace/answer; echo before; sleep 1000")
		j.Stdin = strings.NewReader("the start is over\n") // it is not read before
		j.Collect = []string{"/workspace/answer"}
		j.Stdout = writerFunc(func(p []byte) (int, error) {
			cancel()
			return len(p), nil
		})
		res, err := t.run(ctx, j)
		return errors.Join(wraps("error", err, context.Canceled), step(err, sandbox.OpWait), equal("TimedOut", res.TimedOut, false),
			equal("output", string(res.Logs), "before\n"), equal("number of artifacts", len(res.Artifacts), 0))
	},
}, {
	Name:    "cancel/before",
	Promise: "With a context that has ended nothing runs.",
	check: func(t trial) error {
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		res, err := t.run(ctx, t.shell("echo ran"))
		return errors.Join(wraps("error", err, context.Canceled), equal("Result", res, sandbox.Result{ExitCode: -1}))
	},
}}

// pause is a reader that ends when the time is over.
type pause time.Duration

func (p pause) Read([]byte) (int, error) {
	<-time.After(time.Duration(p))
	return 0, io.EOF
}
