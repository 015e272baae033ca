package attacks

import (
	"fmt"
	"time"

	"github.com/synchestra-io/sandbox"
)

var bombAttacks = []Attack{
	memoryHog("heap"), memoryHog("memfd"), memoryHog("sysv-shm"), memoryHog("sockets"),
	{
		Name: "tmpfs", Tries: "fills every directory that it can write to, without a cap on disk", Seen: "less than its 64 MiB of memory is written",
		needs: "MemoryMB",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("fill", "64"))
			a.t.Logf("exit status %d\n%s", res.ExitCode, res.Logs)
			return a.parse(string(res.Logs), res.ExitCode != killed)["got"]
		},
	},
	by("makes 100 processes with a limit of 64", "less than 64 processes", "fork", "64").limitedBy("PIDs"),
	with(func(j *sandbox.Job) { j.Limits.CPUs = 0.5 },
		Attack{Name: "cpu", Tries: "computes in four threads on half a CPU", Seen: "no more than 0.75 CPUs"}, "spin").limitedBy("CPUs"),
	onDisk(Attack{Name: "disk", Tries: "fills every directory with a cap of 16 MiB", Seen: "no more than 16 MiB in all"}, "fill", "16"),
	onDisk(Attack{Name: "sparse-file", Tries: "makes a file of 1 TiB that takes no space", Seen: "no such file"}, "sparse"),
	onDisk(Attack{Name: "inodes", Tries: "makes empty directories with a cap of 16 MiB", Seen: "no more than 2048"}, "inodes", "2100"),
	{
		Name: "output", Tries: "prints 50 MB with a cap of 1 MiB", Seen: "1 MiB and a line in the result",
		try: func(a *attackEnv) (won []string) {
			j := a.job("print")
			j.Limits.LogBytes = 1 << 20
			res := a.do(j)
			if len(res.Logs) > 1<<20+100 {
				won = append(won, fmt.Sprintf("%d bytes of output", len(res.Logs)))
			}
			if res.LogsDropped < 48<<20 {
				a.t.Fatalf("it printed too little: %d bytes dropped", res.LogsDropped)
			}
			return won
		},
	},
	{
		Name: "time", Tries: "ignores every signal and never ends", Seen: "it ends at its timeout",
		try: func(a *attackEnv) []string { return lasting(a, a.job("never-end")) },
	},
	by("has the kernel spare it when memory is short", "its score stays", "oom-score").
		onGVisor("the score is of its own kernel; the host's stays"),
	by("takes the highest priority and real-time scheduling", "neither is had", "priority").
		onGVisor("the priority is of its own kernel; the host's stays"),
	{
		Name: "many-artifacts", Tries: "leaves 12000 names of 250 bytes to be collected under a cap of 64 KiB", Seen: "no more than 2 MiB in the result",
		try: func(a *attackEnv) (won []string) {
			j := a.job("lay-many")
			j.Collect, j.Limits.ArtifactBytes = []string{"/tmp/out"}, 64<<10
			res := a.do(j)
			a.parse(string(res.Logs), false)
			var size int
			for path, content := range res.Artifacts {
				size += len(path) + len(content)
			}
			for path := range res.Uncollected {
				size += len(path)
			}
			if size > 2<<20 {
				won = append(won, fmt.Sprintf("%d bytes in the result", size))
			}
			return won
		},
	},
}

func memoryHog(kind string) Attack {
	return Attack{
		Name: "memory-" + kind, Tries: "holds 96 MiB of " + kind + " with 64 MiB of memory", Seen: "it is killed, or gets no more",
		needs: "MemoryMB",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("hog", kind, "96"))
			a.t.Logf("exit status %d, OOMKilled %t\n%s", res.ExitCode, res.OOMKilled, res.Logs)
			return a.parse(string(res.Logs), res.ExitCode != killed)["got"]
		},
	}
}

// killed is the status after a kill. For memory it is one that OOMKilled need not
// tell of: busy engines lose the kernel's report.
const killed = 137

func onDisk(attack Attack, args ...string) Attack {
	return with(func(j *sandbox.Job) { j.Limits.DiskMB = 16 }, attack, args...)
}

// lasting runs a job that wants to outlast its timeout.
func lasting(a *attackEnv, j sandbox.Job) (won []string) {
	j.Limits.Timeout = time.Second
	res := a.do(j)
	if !res.TimedOut {
		a.t.Fatalf("it ended by itself: exit status %d\n%s", res.ExitCode, res.Logs)
	}
	if res.Duration > 15*time.Second {
		won = append(won, fmt.Sprintf("%v with a timeout of a second", res.Duration))
	}
	return won
}
