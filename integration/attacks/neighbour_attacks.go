package attacks

import (
	"math/rand/v2"
	"strconv"
)

// neighbourAttacks are attacks on runs that are under way at the same time. All runs
// have the same user, and share some files of the engine.
var neighbourAttacks = []Attack{
	Attack{
		Name: "lock", Tries: "passes a secret to another run by a lock on the init's file", Expected: "both runs get the lock",
		attempt: func(e *attackEnv) (got []string) {
			first := e.duringOtherRun(e.job(), "lock", "nothing", func() {
				if second := e.ask(e.job("lock")); second["got"] == nil {
					got = second["denied"]
				}
			})
			if first["got"] == nil { // so the second could learn nothing from it
				return nil
			}
			return got
		},
	}.knownHole("the init is one file of the engine in all containers"),
	Attack{
		Name: "watch", Tries: "watches the init's file for the start of other runs", Expected: "no event",
		attempt: func(e *attackEnv) []string {
			return e.duringOtherRun(e.job(), "watch", "watched", func() { e.result(e.job("nothing")) })["got"]
		},
	}.knownHole("the init is one file of the engine in all containers"),
	probeAttack("lease", "takes leases on the files that it shares with other runs, so that they cannot open them", "none"),
	{
		Name: "ofd-locks", Tries: "passes a number to another run by a lock of an open file, which /proc/locks shows to everybody", Expected: "no such lock",
		attempt: func(e *attackEnv) (got []string) {
			number := strconv.Itoa(1e9 + rand.IntN(1e9))
			if e.gotOutside("ofd-lock", number) == nil {
				e.abort("outside the sandbox there is no such lock either")
			}
			e.duringOtherRun(e.job(), "ofd-lock,"+number, "nothing", func() { got = e.got(e.job("find-lock", number)) })
			return got
		},
	},
	exhaustAttack("inotify", "inotify instances"), exhaustAttack("mqueues", "message queues"), exhaustAttack("timers", "timers"),
	exhaustAttack("epoll", "watches of epoll"), exhaustAttack("pipes", "pages of pipes"), exhaustAttack("passed", "descriptors in flight"),
	exhaustAttack("ptys", "pseudo-terminals of the host").knownHole("the kernel counts them over the whole host"),
}

// exhaustAttack is an attack on a resource that the kernel counts by user.
func exhaustAttack(resource, plural string) Attack {
	return Attack{
		Name: "take-" + resource, Tries: "takes all " + plural + " that its user may have, so that other runs get none", Expected: "another run gets one",
		Alone: true,
		attempt: func(e *attackEnv) (got []string) {
			if before := e.ask(e.job("need-" + resource)); before["got"] == nil {
				e.nothingToTake = true
				return nil
			}
			attacker := e.job()
			attacker.Limits.MemoryMB = 2048 // which what it takes counts for, too
			e.duringOtherRun(attacker, "take-"+resource, "nothing", func() {
				if other := e.ask(e.job("need-" + resource)); other["got"] == nil {
					got = other["denied"]
				}
			})
			return got
		},
	}.knownHole("the kernel counts them by user, and all runs have the same user")
}
