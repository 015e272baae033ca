package attacks

import (
	"fmt"
	"os"
	"slices"
)

var signalAttacks = []Attack{
	{
		Name: "hosts-processes", Tries: "signals every process by its number, and this process by its number on the host", Expected: "it finds only its own processes",
		attempt: func(e *attackEnv) []string { return e.got(e.job("signal-hosts", fmt.Sprint(os.Getpid()))) },
	},
	{
		Name: "other-runs", Tries: "kills every process that it may while another run is under way", Expected: "the other run ends normally",
		attempt: func(e *attackEnv) (got []string) {
			res, err := e.besideOtherRun(e.job(), "nothing", "nothing", func() { e.ask(e.job("kill-all")) })
			if err != nil || res.ExitCode != 0 {
				got = append(got, fmt.Sprintf("the other run ended with exit status %d, %v", res.ExitCode, err))
			}
			return got
		},
	},
	Attack{
		Name: "init", Tries: "kills and stops PID 1, which would end or hang the run", Expected: "the exit status of the command itself",
		attempt: func(e *attackEnv) []string {
			res := e.result(e.job("kill-init"))
			return slices.Concat(mismatch("ExitCode", res.ExitCode, 7), mismatch("TimedOut", res.TimedOut, false))
		},
	}.knownHoleOfGVisor("PID 1 can be killed, which ends only this run, with status 137"),
	{
		Name: "own-group", Tries: "kills its process group", Expected: "status 137, and neither a timeout nor a lack of memory",
		attempt: func(e *attackEnv) []string {
			res := e.result(e.job("kill-group"))
			return slices.Concat(
				mismatch("ExitCode", res.ExitCode, 137),
				mismatch("TimedOut", res.TimedOut, false),
				mismatch("OOMKilled", res.OOMKilled, false))
		},
	},
	{
		Name: "stopped", Tries: "stops itself, so that it never ends", Expected: "it ends at its timeout",
		attempt: func(e *attackEnv) []string { return e.outlasts(e.job("stop-self")) },
	},
}
