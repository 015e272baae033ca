package attacks

import (
	"fmt"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

var bombAttacks = []Attack{
	memoryAttack("heap"), memoryAttack("memfd"), memoryAttack("sysv-shm"), memoryAttack("sockets"),
	memoryAttack("udp").knownHoleOfCgroupV1("the kernel charges nobody for what waits at sockets of UDP"),
	memoryAttack("tcp").knownHoleOfCgroupV1("the kernel charges nobody for what waits at sockets of TCP"),
	memoryAttack("netlink").knownHole("the kernel charges nobody for what waits at netlink sockets, and without them no program can list interfaces"),
	memoryAttack("locks").knownHole("the kernel charges nobody for file locks"),
	{
		Name: "tmpfs", Tries: "fills every writable directory, without a limit on disk", Expected: "it writes less than its 64 MiB of memory",
		limit:   "MemoryMB",
		attempt: func(e *attackEnv) []string { return e.gotUnlessKilled(e.job("fill", "64")) },
	},
	probeAttack("fork", "creates 100 processes with a limit of 64", "fewer than 64 processes", "fork", "64").preventedBy("PIDs"),
	probeAttack("cpu", "computes in four threads with a limit of half a CPU", "at most 0.75 CPUs", "use-cpu").
		withLimits(func(l *sandbox.Limits) { l.CPUs = 0.5 }).preventedBy("CPUs"),
	probeAttack("disk", "fills every directory with a limit of 16 MiB", "at most 16 MiB in all", "fill", "16").withLimits(smallDisk),
	probeAttack("sparse-file", "creates a file of 1 TiB that takes no space", "no such file", "sparse").withLimits(smallDisk),
	probeAttack("inodes", "creates empty directories with a limit of 16 MiB", "at most 2048", "inodes", "2100").withLimits(smallDisk),
	{
		Name: "output", Tries: "prints 50 MB with a limit of 1 MiB", Expected: "1 MiB and one line in the result",
		change: func(l *sandbox.Limits) { l.LogBytes = 1 << 20 },
		attempt: func(e *attackEnv) (got []string) {
			res := e.result(e.job("print"))
			if len(res.Logs) > 1<<20+100 {
				got = append(got, fmt.Sprintf("%d bytes of output", len(res.Logs)))
			}
			if res.LogsDropped < 48<<20 {
				e.abort("it printed too little: %d bytes were dropped", res.LogsDropped)
			}
			return got
		},
	},
	{
		Name: "time", Tries: "ignores every signal and never ends", Expected: "it ends at its timeout",
		attempt: func(e *attackEnv) []string { return e.outlasts(e.job("never-end")) },
	},
	probeAttack("lower-oom-score", "lowers its OOM score and that of the init to what the engine has, or by one", "both stay").
		knownHole("an engine without CAP_SYS_RESOURCE cannot forbid it").
		knownHoleOfGVisor("the score belongs to its own kernel; the score on the host stays"),
	probeAttack("oom-score", "asks the kernel to spare it, and the init, when memory is short", "their scores stay").
		knownHoleOfGVisor("the score belongs to its own kernel; the score on the host stays"),
	probeAttack("priority", "takes the highest priority and real-time scheduling", "it gets neither").
		knownHoleOfGVisor("the priority belongs to its own kernel; the priority on the host stays"),
	{
		Name: "many-artifacts", Tries: "leaves 12000 files with names of 250 bytes to collect, with a limit of 64 KiB", Expected: "at most 2 MiB in the result",
		change: func(l *sandbox.Limits) { l.ArtifactBytes = 64 << 10 },
		attempt: func(e *attackEnv) (got []string) {
			j := e.job("leave-many")
			j.Collect = []string{"/tmp/out"}
			res := e.result(j)
			e.partialReport(res.Logs)
			var size int
			for path, content := range res.Artifacts {
				size += len(path) + len(content)
			}
			for path := range res.Uncollected {
				size += len(path)
			}
			if size > 2<<20 {
				got = append(got, fmt.Sprintf("%d bytes in the result", size))
			}
			return got
		},
	},
}

func smallDisk(l *sandbox.Limits) { l.DiskMB = 16 }

func memoryAttack(kind string) Attack {
	return Attack{
		Name: "memory-" + kind, Tries: "allocates 96 MiB of " + kind + " with a limit of 64 MiB", Expected: "it is killed, or gets no more",
		limit:   "MemoryMB",
		attempt: func(e *attackEnv) []string { return e.gotUnlessKilled(e.job("use-memory", kind, "96")) },
	}
}

// killed is the exit status after SIGKILL. It alone tells of a lack of memory: a busy
// engine may miss the kernel's report, and then OOMKilled is false.
const killed = 137

// gotUnlessKilled is got for a job that may be killed for lack of memory.
func (e *attackEnv) gotUnlessKilled(j sandbox.Job) []string {
	res := e.result(j)
	if res.TimedOut && !stalled(e.partialReport(res.Logs)["has"], j.Limits.Timeout/2) {
		e.abort("it was still getting more at its timeout\n%s", res.Logs)
	}
	if res.ExitCode == killed {
		return e.partialReport(res.Logs)["got"]
	}
	return e.report(res.Logs)["got"]
}

// stalled tells whether a probe got the last of what it has before a time. Near its limit the
// kernel can look for memory to reclaim for so long that the probe does nothing else.
func stalled(has []string, before time.Duration) bool {
	if len(has) == 0 {
		return false
	}
	_, text, _ := strings.Cut(has[len(has)-1], " after ")
	after, err := time.ParseDuration(text)
	return err == nil && after < before
}

// outlasts runs a job that tries to live longer than its timeout.
func (e *attackEnv) outlasts(j sandbox.Job) (got []string) {
	j.Limits.Timeout = time.Second
	res := e.result(j)
	if !res.TimedOut {
		e.abort("it ended by itself: exit status %d\n%s", res.ExitCode, res.Logs)
	}
	if res.Duration > 15*time.Second {
		got = append(got, fmt.Sprintf("%v with a timeout of one second", res.Duration))
	}
	return got
}
