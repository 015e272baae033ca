package attacks

// neighbourAttacks are attacks on runs that are under way at the same time. All have the
// same user, and some files, in common.
var neighbourAttacks = []Attack{
	{
		Name: "lock", Tries: "tells another run a secret by a lock on the init's file", Seen: "both get the lock",
		hole: "the init is one file of the engine's in all containers",
		try: func(a *attackEnv) (won []string) {
			said := a.beside(a.job(), "lock", "nothing", func() {
				if other := a.ask(a.job("lock")); other["got"] == nil {
					won = other["denied"]
				}
			})
			if said["got"] == nil { // there was nothing to tell
				won = nil
			}
			return won
		},
	},
	{
		Name: "watch", Tries: "watches the init's file for the starts of other runs", Seen: "no event",
		hole: "the init is one file of the engine's in all containers",
		try: func(a *attackEnv) []string {
			return a.beside(a.job(), "watch", "watched", func() { a.do(a.job("nothing")) })["got"]
		},
	},
	taking("inotify"), taking("mqueues"), taking("timers"),
}

// taking is an attack on what the kernel counts by user.
func taking(what string) Attack {
	return Attack{
		Name: "take-" + what, Tries: "takes all " + what + " that its user may have, so that other runs get none", Seen: "another run gets one",
		alone: true,
		hole:  "the kernel counts them by user, and all runs have the same one",
		try: func(a *attackEnv) (won []string) {
			if before := a.ask(a.job("need-" + what)); before["got"] == nil {
				return nil // no run has any
			}
			attacker := a.job()
			attacker.Limits.MemoryMB = 512 // what it takes is counted there too
			a.beside(attacker, "take-"+what, "nothing", func() {
				if other := a.ask(a.job("need-" + what)); other["got"] == nil {
					won = other["denied"]
				}
			})
			return won
		},
	}
}
