// Package attacks attacks a sandbox: one table of named attacks, each with
// what it tries and what must be seen if the sandbox holds. It is internal until
// the table and the way to hand it a sandbox have settled; then it becomes
// public, so that who changes the sandbox, or runs it on another engine, can have
// it attacked.
//
// An attack asks whether the attacker got what it wanted, not how it was refused.
// One that could not be made fails, as does one that succeeded.
package attacks

import (
	"slices"

	"github.com/synchestra-io/sandbox"
)

// Attack is one of the table.
type Attack struct {
	Group string // the kind of attack
	Name  string // unique within the group
	Tries string // what the attacker does
	Seen  string // what must be seen if it is in vain

	// hole is why the attack is not the sandbox's to keep off, if it is not. On
	// gVisor it is gVisor's that counts.
	hole, gvisor string
	// needs is the limit that keeps the attack off. Where jobs that ask for it are
	// refused the attack is made without it.
	needs string
	// outside has the same try made by this process's user outside the sandbox, to
	// tell whether the kernel offers the thing at all. It must do no harm there.
	outside []string
	// alone is for attacks that disturb what other attacks need.
	alone bool
	// try makes the attack and tells what the attacker won.
	try func(a *attackEnv) []string
}

// All is the table.
func All() []Attack {
	return slices.Concat(
		group("escape", mountAttacks, namespaceAttacks, fileAttacks, callAttacks, privilegeAttacks),
		group("bombs", bombAttacks), group("output", outputAttacks), group("artifacts", artifactAttacks), group("tar", tarAttacks),
		group("signals", signalAttacks), group("network", networkAttacks), group("leaks", leakAttacks, neighbourAttacks), group("persistence", persistenceAttacks),
	)
}

func group(name string, parts ...[]Attack) []Attack {
	all := slices.Concat(parts...)
	for i := range all {
		all[i].Group = name
	}
	return all
}

// by is an attack by one mode of the probe, which says itself what it won.
func by(tries, seen string, args ...string) Attack {
	return Attack{Name: args[0], Tries: tries, Seen: seen, try: func(a *attackEnv) []string { return a.wins(a.job(args...)) }}
}

// with changes the job of an attack by the probe.
func with(change func(*sandbox.Job), attack Attack, args ...string) Attack {
	attack.try = func(a *attackEnv) []string {
		j := a.job(args...)
		change(&j)
		return a.wins(j)
	}
	return attack
}

// limitedBy marks an attack that a limit keeps off.
func (t Attack) limitedBy(limit string) Attack {
	t.needs = limit
	return t
}

// called gives an attack another name than the probe's mode.
func (t Attack) called(name string) Attack {
	t.Name = name
	return t
}

// knownHole marks an attack that nothing keeps off, and why.
func (t Attack) knownHole(why string) Attack {
	t.hole = why
	return t
}

// onGVisor marks an attack that gVisor's own kernel lets through.
func (t Attack) onGVisor(why string) Attack {
	t.gvisor = "gVisor: " + why
	return t
}

// harmless marks an attack whose try may be made outside the sandbox too.
func (t Attack) harmless() Attack {
	t.outside = []string{t.Name}
	return t
}
