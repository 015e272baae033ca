package attacks

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Kind is what became of an attack.
type Kind string

const (
	Defended       Kind = "defended"
	NotOffered     Kind = "not offered by this kernel" // so the attack tells nothing about the sandbox
	NotEnforceable Kind = "not enforceable here"       // the attacker got something, by a known hole
	Succeeded      Kind = "SUCCEEDED"
	NotMade        Kind = "NOT MADE"
)

// Outcome is what became of one attack.
type Outcome struct {
	Attack Attack
	Kind   Kind
	Reason string   // why; "" if the attack was defended
	Got    []string // what the attacker got
	Log    string   // what happened, for people
}

// String is the kind and the first line of the reason.
func (o Outcome) String() string {
	if o.Reason == "" {
		return string(o.Kind)
	}
	line, _, _ := strings.Cut(o.Reason, "\n")
	return fmt.Sprintf("%s: %s", o.Kind, line)
}

// Err is nil unless the attack succeeded or was not made.
func (o Outcome) Err() error {
	switch o.Kind {
	case Succeeded:
		return fmt.Errorf("the attack succeeded\ntries:    %s\nexpected: %s\ngot:      %s",
			o.Attack.Tries, o.Attack.Expected, strings.Join(o.Got, "\n          "))
	case NotMade:
		return fmt.Errorf("the attack was not made: %s", o.Reason)
	}
	return nil
}

// Make makes one attack, within five minutes.
func (f *Fixture) Make(ctx context.Context, a Attack) (o Outcome) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	e := &attackEnv{Fixture: f, attack: a, ctx: ctx}
	o.Attack = a
	defer func() {
		o.Log = e.log.String()
		switch reason := recover().(type) {
		case nil:
		case aborted:
			o.Kind, o.Reason = NotMade, string(reason)
		default:
			panic(reason)
		}
	}()
	o.Got = a.attempt(e)
	o.Kind, o.Reason = e.judge(o.Got)
	return o
}

// judge decides what it means that the attacker got this.
func (e *attackEnv) judge(got []string) (Kind, string) {
	hole := e.attack.hole
	switch {
	case e.gvisor:
		hole = e.attack.gvisorHole
	case e.cgroupV1 && hole == "":
		hole = e.attack.v1Hole
	}
	switch {
	case e.nothingToTake:
		return NotOffered, "no run gets any of it, attacked or not"
	case len(got) > 0 && hole != "":
		return NotEnforceable, hole
	case len(got) > 0 && e.refused[e.attack.limit]:
		return NotEnforceable, "a job with Limits." + e.attack.limit + " is refused"
	case len(got) > 0:
		return Succeeded, got[0]
	case e.attack.outside != nil && !e.gvisor && len(e.gotOutside(e.attack.outside...)) == 0:
		return NotOffered, "refused outside the sandbox too"
	}
	return Defended, ""
}

// PrintTable prints a line for each outcome, and how many there are of each kind.
// It leaves out the zero value, for attacks that were not selected.
func PrintTable(w io.Writer, outcomes []Outcome) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	count := map[Kind]int{}
	fmt.Fprintln(table, "GROUP\tATTACK\tTRIES\tEXPECTED\tOUTCOME")
	for _, o := range outcomes {
		if o.Kind == "" {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", o.Attack.Group, o.Attack.Name, o.Attack.Tries, o.Attack.Expected, o)
		count[o.Kind]++
	}
	fmt.Fprintln(table)
	for _, kind := range []Kind{Defended, NotOffered, NotEnforceable, Succeeded, NotMade} {
		fmt.Fprintf(table, "%d %s\n", count[kind], kind)
	}
	return table.Flush()
}
