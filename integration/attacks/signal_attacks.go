package attacks

import (
	"fmt"
	"os"
)

var signalAttacks = []Attack{
	{
		Name: "hosts-processes", Tries: "signals every process by number, and this test's by its own", Seen: "there is none but its own",
		try: func(a *attackEnv) []string { return a.wins(a.job("signal-hosts", fmt.Sprint(os.Getpid()))) },
	},
	{
		Name: "other-runs", Tries: "kills all that it may while another run is under way", Seen: "the other run ends well",
		try: func(a *attackEnv) (won []string) {
			res, err := a.holding(a.job(), "nothing", "nothing", func() { a.ask(a.job("kill-all")) })
			if err != nil || res.ExitCode != 0 {
				won = append(won, fmt.Sprintf("the other run ended with exit status %d, %v", res.ExitCode, err))
			}
			return won
		},
	},
	{
		Name: "init", gvisor: "gVisor: PID 1 can be killed, which ends this run alone, with status 137",
		Tries: "kills and stops PID 1, which would end or hang the run", Seen: "the command's own exit status",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("kill-init"))
			a.t.Logf("%s", res.Logs)
			return append(differs("ExitCode", res.ExitCode, 7), differs("TimedOut", res.TimedOut, false)...)
		},
	},
	{
		Name: "own-group", Tries: "kills its process group", Seen: "status 137, and neither a timeout nor a lack of memory",
		try: func(a *attackEnv) []string {
			res := a.do(a.job("kill-group"))
			won := append(differs("ExitCode", res.ExitCode, 137), differs("TimedOut", res.TimedOut, false)...)
			return append(won, differs("OOMKilled", res.OOMKilled, false)...)
		},
	},
	{
		Name: "stopped", Tries: "stops itself, so that it never ends", Seen: "it ends at its timeout",
		try: func(a *attackEnv) []string { return lasting(a, a.job("stop-self")) },
	},
}
