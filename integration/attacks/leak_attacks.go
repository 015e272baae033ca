package attacks

import (
	"os"
	"strings"
)

var leakAttacks = []Attack{
	{
		Name: "host-name", Tries: "looks for the host's name where names stand", Seen: "it is nowhere",
		try: func(a *attackEnv) []string {
			name, err := os.Hostname()
			if err != nil {
				a.t.Fatal(err)
			}
			return a.wins(a.job("host-name", name))
		},
	},
	{
		Name: "resolv-conf", Tries: "reads the host's name servers and domains", Seen: "none of them",
		try: func(a *attackEnv) (won []string) {
			host, err := os.ReadFile("/etc/resolv.conf")
			if err != nil {
				a.t.Logf("the host has none: %v", err)
			}
			res := a.do(a.job("read", "/etc/resolv.conf"))
			a.parse(string(res.Logs), true)
			for line := range strings.Lines(string(host)) {
				fields := strings.Fields(line)
				if len(fields) > 1 && (fields[0] == "nameserver" || fields[0] == "search" || fields[0] == "domain") && strings.Contains(string(res.Logs), strings.TrimSpace(line)) {
					won = append(won, strings.TrimSpace(line))
				}
			}
			return won
		},
	},
	{
		Name: "environment", Tries: "looks for variables that nobody gave it, the init's too", Seen: "PATH, HOME, HOSTNAME and the job's",
		try: func(a *attackEnv) []string {
			j := a.job("environment", "PATH", "HOME", "HOSTNAME", "GIVEN")
			j.Env = map[string]string{"GIVEN": "1"}
			return a.wins(j)
		},
	},
	{
		Name: "other-runs", Tries: "searches all that it can read for another run's secrets", Seen: "nothing is found",
		try: func(a *attackEnv) (won []string) {
			token := newToken()
			j := a.job()
			j.Env = map[string]string{"SECRET": token}
			a.beside(j, "leave-files,"+token, "nothing", func() { won = a.wins(a.job("search", token)) })
			return won
		},
	},
	by("looks for sockets in all directories, the engine's by name", "there is none", "sockets").called("engine-socket"),
	by("reads what /proc and /sys tell of memory, keys and timers", "nothing is read", "masked"),
	by("reads the kernel's log", "nothing is read", "kernel-log").harmless(),
	by("reads addresses of the kernel", "all are zero", "kernel-addresses"),
	by("reads the machine's ID and serial numbers", "nothing is read", "serials"),
	{
		Name: "host-facts", Tries: "reads how much memory the host has, how busy it is, and since when", Seen: "its own share",
		hole:   "the kernel has one /proc/meminfo, loadavg and uptime for all",
		gvisor: "gVisor: without a limit the memory is the host's",
		try: func(a *attackEnv) []string {
			return a.wins(a.job("host-facts", lineOf(a, "/proc/meminfo", "MemTotal:"), lineOf(a, "/proc/stat", "btime ")))
		},
	},
	by("reads paths of the engine's in its table of mounts", "there is none", "engine-paths").
		knownHole("the kernel shows every process its mounts, and no option hides their sources"),
}

// lineOf is the line of a file of the host's that begins so.
func lineOf(a *attackEnv, path, begin string) string {
	a.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, begin) {
			return strings.TrimSpace(line)
		}
	}
	a.t.Fatalf("%s has no %q", path, begin)
	return ""
}
