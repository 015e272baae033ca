package attacks

import (
	"os"
	"slices"
	"strings"
)

var leakAttacks = []Attack{
	{
		Name: "host-name", Tries: "looks for the name of the host where names are stored", Expected: "it finds it nowhere",
		attempt: func(e *attackEnv) []string {
			name, err := os.Hostname()
			e.abortOn(err)
			return e.got(e.job("host-name", name))
		},
	},
	{
		Name: "resolv-conf", Tries: "reads the name servers and domains of the host", Expected: "none of them",
		attempt: readResolvConf,
	},
	{
		Name: "environment", Tries: "looks for variables that nobody gave it, those of the init too", Expected: "only PATH, HOME, HOSTNAME and the variables of the job",
		attempt: func(e *attackEnv) []string {
			j := e.job("environment", "PATH", "HOME", "HOSTNAME", "GIVEN")
			j.Env = map[string]string{"GIVEN": "1"}
			return e.got(j)
		},
	},
	{
		Name: "other-runs", Tries: "searches everything that it can read for a secret of another run", Expected: "it finds nothing",
		attempt: func(e *attackEnv) (got []string) {
			token := newToken()
			j := e.job()
			j.Env = map[string]string{"SECRET": token}
			e.duringOtherRun(j, "leave-files,"+token, "nothing", func() { got = e.got(e.job("search", token)) })
			return got
		},
	},
	probeAttack("engine-socket", "looks for sockets in all directories, and for the engine's by name", "there is none"),
	probeAttack("masked", "reads what /proc and /sys tell about memory, keys and timers", "it reads nothing"),
	probeAttack("kernel-log", "reads the kernel log", "it reads nothing").triedOutside(),
	probeAttack("kernel-addresses", "reads addresses of the kernel", "all are zero"),
	probeAttack("serials", "reads the machine ID and the machine's serial numbers", "it reads nothing"),
	probeAttack("device-serials", "reads the serial numbers of all devices, the boot ID and the kernel's command line", "it reads nothing").
		knownHole("the kernel shows the host's devices in /sys to everybody, and the boot ID and its command line in /proc").
		knownHoleOfGVisor("the command line is that of its own kernel, the same on every host"),
	probeAttack("host-counters", "reads counters of the whole host: pressure, disks, interrupts, events of devices", "it reads nothing").
		knownHole("the kernel has one of each for all"),
	probeAttack("uevents", "listens to the kernel's events of the host's devices", "no socket").triedOutside(),
	Attack{
		Name: "host-facts", Tries: "reads how much memory the host has, how busy it is, and when it started", Expected: "it sees only its own share",
		attempt: func(e *attackEnv) []string {
			return e.got(e.job("host-facts", e.hostLine("/proc/meminfo", "MemTotal:"), e.hostLine("/proc/stat", "btime ")))
		},
	}.knownHole("the kernel has one /proc/meminfo, loadavg and uptime for all").
		knownHoleOfGVisor("without a memory limit the job sees the memory of the host"),
	probeAttack("engine-paths", "reads paths of the engine in its mount table", "there is none").
		knownHole("the kernel shows every process its mounts, and no option hides their sources"),
}

func readResolvConf(e *attackEnv) (got []string) {
	host, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		e.logf("the host has no name servers: %v", err)
	}
	res := e.result(e.job("read", "/etc/resolv.conf"))
	e.report(res.Logs)
	for line := range strings.Lines(string(host)) {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		if len(fields) > 1 && slices.Contains([]string{"nameserver", "search", "domain"}, fields[0]) && strings.Contains(string(res.Logs), line) {
			got = append(got, line)
		}
	}
	return got
}

// hostLine returns the line of a file on the host that has a prefix.
func (e *attackEnv) hostLine(path, prefix string) string {
	content, err := os.ReadFile(path)
	e.abortOn(err)
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	e.abort("%s has no line that begins with %q", path, prefix)
	return ""
}
