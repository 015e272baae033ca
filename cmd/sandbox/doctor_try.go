package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/attacks"
)

func newRunner(engine *engineFlags) (*sandbox.Runner, error) { return sandbox.New(engine.options()) }

// try runs a job and makes the quick attacks.
func (d *doctor) try(ctx context.Context, api *client.Client, info system.Info) (found []Finding, err error) {
	r, err := newRunner(d.engine)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if d.image != "" {
		return []Finding{oneJob(ctx, r, d.image, "sh", "-c", "echo done"), leftOut("--image names another image")}, nil
	}
	program, err := ownProgram(info.Architecture)
	if err != nil {
		return []Finding{leftOut(err.Error() + "; with --image IMAGE a job runs in that image")}, nil
	}
	ref, made, err := importProgram(ctx, api, "sandbox-doctor", "probe", program)
	if err != nil {
		return nil, fmt.Errorf("the image of this program: %w", err)
	}
	if made {
		defer api.ImageRemove(context.WithoutCancel(ctx), ref, image.RemoveOptions{Force: true, PruneChildren: true})
	}
	found = append(found, oneJob(ctx, r, ref, "nothing"))
	if d.quick || found[0].Bad {
		return found, nil
	}
	attacked, err := attack(ctx, r, d.engine, program)
	return append(found, attacked...), err
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
// defended.
func attack(ctx context.Context, r *sandbox.Runner, engine *engineFlags, program []byte) (found []Finding, err error) {
	f, err := attacks.Open(ctx, attacks.Options{Run: r.RunOnce, Host: engine.host, Probe: func() ([]byte, error) { return program, nil }})
	if err != nil {
		return nil, err
	}
	defer f.Close()
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
	return groups(outcomes), ctx.Err()
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
		found = append(found, Finding{What: "attacks: " + g, Value: strings.Join(parts, ", "), Bad: count[g][attacks.Succeeded]+count[g][attacks.NotMade] > 0})
		for _, o := range outcomes {
			if o.Attack.Group == g && (o.Err() != nil || o.Kind == attacks.NotEnforceable) {
				found = append(found, Finding{What: "  " + o.Attack.Name, Value: o.String(), Bad: o.Err() != nil})
			}
		}
	}
	return found
}
