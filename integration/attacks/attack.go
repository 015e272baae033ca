// Package attacks is the conformance suite of the sandbox: a table of named
// attacks, and the code that makes them. An attack is a job, or a few, that runs a
// hostile program, the probe.
//
// An attack asks whether the attacker got what it wanted, and not how the sandbox
// refused it. If an attack cannot be made, nothing is known about the sandbox, so
// that is an outcome of its own.
//
// The package does not import testing: a program can attack the sandbox that it
// uses. It carries no promise of compatibility: the table and its types change with
// what is learned about engines.
package attacks

import (
	"slices"

	"github.com/synchestra-io/sandbox"
)

// Attack is one attack of the table.
type Attack struct {
	Group    string // the kind of attack, such as "escape"
	Name     string // unique within the group
	Tries    string // what the attacker does
	Expected string // what happens if the sandbox holds

	// Alone marks an attack that takes what all runs share. No other attack may be
	// made at the same time.
	Alone bool

	// attempt makes the attack and returns what the attacker got.
	attempt func(e *attackEnv) []string
	// change adapts the limits of every job of the attack. It may be nil.
	change func(*sandbox.Limits)
	// hole is the reason why the sandbox cannot prevent the attack, or "". For runs
	// with gVisor's kernel, gvisorHole takes its place.
	hole, gvisorHole string
	// v1Hole is hole for engines with cgroup v1 alone.
	v1Hole string
	// limit is the field of sandbox.Limits that prevents the attack. If the sandbox
	// refuses jobs with that limit, the attack is made without it.
	limit string
	// outside is a command of the probe that makes the same attempt outside the
	// sandbox, as the user of this process. It shows whether the kernel offers the
	// feature at all, and must be harmless there.
	outside []string
}

// All returns the table.
func All() []Attack {
	return slices.Concat(
		group("escape", mountAttacks, namespaceAttacks, fileAttacks, callAttacks, privilegeAttacks),
		group("bombs", bombAttacks),
		group("output", outputAttacks),
		group("artifacts", artifactAttacks),
		group("tar", tarAttacks),
		group("signals", signalAttacks),
		group("network", networkAttacks),
		group("leaks", leakAttacks, neighbourAttacks),
		group("persistence", persistenceAttacks),
		group("setup", setupAttacks),
	)
}

func group(name string, tables ...[]Attack) []Attack {
	attacks := slices.Concat(tables...)
	for i := range attacks {
		attacks[i].Group = name
	}
	return attacks
}

// probeAttack is an attack that the probe makes alone and judges itself. The
// command is a mode of the probe with its arguments; without one, the mode is
// called like the attack.
func probeAttack(name, tries, expected string, command ...string) Attack {
	if len(command) == 0 {
		command = []string{name}
	}
	return Attack{
		Name: name, Tries: tries, Expected: expected,
		attempt: func(e *attackEnv) []string { return e.got(e.job(command...)) },
	}
}

func (a Attack) withLimits(change func(*sandbox.Limits)) Attack {
	a.change = change
	return a
}

// preventedBy names the limit that prevents the attack.
func (a Attack) preventedBy(limit string) Attack {
	a.limit = limit
	return a
}

func (a Attack) knownHole(reason string) Attack {
	a.hole = reason
	return a
}

func (a Attack) knownHoleOfCgroupV1(reason string) Attack {
	a.v1Hole = "cgroup v1: " + reason
	return a
}

func (a Attack) knownHoleOfGVisor(reason string) Attack {
	a.gvisorHole = "gVisor: " + reason
	return a
}

// triedOutside is for attacks whose mode is called like them.
func (a Attack) triedOutside() Attack {
	a.outside = []string{a.Name}
	return a
}
