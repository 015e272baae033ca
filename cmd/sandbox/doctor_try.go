package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
)

// try runs a job and makes the quick attacks.
func (d *doctor) try(ctx context.Context, e engine) (found []Finding) {
	r, err := sandbox.New(d.engine.options())
	if err != nil {
		return []Finding{notRun(err)}
	}
	running.Store(true)
	defer running.Store(false)
	defer func() {
		if err := r.Close(); err != nil {
			found = append(found, Finding{What: "clean-up", Value: trimName(err), Bad: true})
		}
	}()
	if d.image != "" {
		return []Finding{oneJob(ctx, r, d.image, "sh", "-c", "echo done"), leftOut("--image names another image")}
	}
	program, err := e.ownProgram()
	if err != nil {
		return []Finding{notRun(fmt.Errorf("%w; with --image IMAGE it is run in that image", err)), leftOut("they need this program in an image, too")}
	}
	ref, made, err := e.importProgram(ctx, "sandbox-doctor", "probe", program)
	if err != nil {
		return []Finding{notRun(fmt.Errorf("the image of this program: %w", err))}
	}
	found = []Finding{oneJob(ctx, r, ref, "nothing")}
	if !d.quick && !found[0].Bad {
		found = append(found, attack(ctx, r, e, program)...)
	}
	if made {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := e.RemoveImage(bound, ref); err != nil {
			found = append(found, Finding{What: "image " + ref, Value: fmt.Sprintf("is left: %v", err), Bad: true})
		}
	}
	return found
}

func notRun(why error) Finding {
	return Finding{What: "a job", Value: "not run: " + trimName(why), Bad: true}
}

func leftOut(why string) Finding { return Finding{What: "attacks", Value: "left out: " + why} }

// oneJob runs a command that says "done".
func oneJob(ctx context.Context, r *sandbox.Runner, image string, command ...string) Finding {
	res, err := r.RunOnce(ctx, sandbox.Job{Image: image, Cmd: command, Limits: sandbox.Limits{Network: "none"}})
	switch {
	case err != nil:
		return Finding{What: "a job", Value: trimName(err), Bad: true}
	case res.ExitCode != 0 || string(res.Logs) != "done\n":
		return Finding{What: "a job", Value: fmt.Sprintf("exit status %d, and it said %q", res.ExitCode, res.Logs), Bad: true}
	}
	return Finding{What: "a job", Value: "runs"}
}

// slowGroups are those of attacks that take long, or much of what the machine has.
var slowGroups = []string{"bombs", "output", "artifacts", "tar", "signals"}

// attack makes the quick attacks, and has a finding for each group, and for each attack that is not
// defended. One that cannot be made here tells nothing, unless none of its group can.
func attack(ctx context.Context, r *sandbox.Runner, e engine, program []byte) (found []Finding) {
	f, err := attacks.Open(ctx, attacks.Options{Run: r.RunOnce, API: e.API(), Probe: func() ([]byte, error) { return program, nil }})
	if err != nil {
		return []Finding{{What: "attacks", Value: fmt.Sprintf("not made: %v", err), Bad: true}}
	}
	defer func() {
		if err := f.Close(); err != nil {
			found = append(found, Finding{What: "attacks", Value: err.Error(), Bad: true})
		}
	}()
	quick := slices.DeleteFunc(attacks.All(), func(a attacks.Attack) bool { return a.Alone || slices.Contains(slowGroups, a.Group) })
	outcomes := make([]attacks.Outcome, len(quick))
	var all sync.WaitGroup
	slots := make(chan struct{}, 4)
	for i, a := range quick {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil {
				outcomes[i] = f.Make(ctx, a)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return []Finding{{What: "attacks", Value: context.Cause(ctx).Error(), Bad: true}}
	}
	return groups(outcomes)
}

// groups are the findings of a group each, in the order of the table.
func groups(outcomes []attacks.Outcome) (found []Finding) {
	var names []string
	count := map[string]map[attacks.Kind]int{}
	for _, o := range outcomes {
		g := o.Attack.Group
		if count[g] == nil {
			names, count[g] = append(names, g), map[attacks.Kind]int{}
		}
		count[g][o.Kind]++
	}
	for _, g := range names {
		var parts []string
		for _, kind := range []attacks.Kind{attacks.Defended, attacks.NotOffered, attacks.NotEnforceable, attacks.Succeeded, attacks.NotMade} {
			if n := count[g][kind]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, kind))
			}
		}
		found = append(found, Finding{What: "attacks: " + g, Value: strings.Join(parts, ", "), Bad: count[g][attacks.Succeeded] > 0 || count[g][attacks.Defended] == 0})
		for _, o := range outcomes {
			if o.Attack.Group == g && (o.Err() != nil || o.Kind == attacks.NotEnforceable) {
				found = append(found, Finding{What: "  " + o.Attack.Name, Value: o.String(), Bad: o.Kind == attacks.Succeeded})
			}
		}
	}
	return found
}
