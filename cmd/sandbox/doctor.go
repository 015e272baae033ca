package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/docker/docker/api/types/system"
	"github.com/spf13/cobra"
)

// doctor is what it looks at.
type doctor struct {
	engine *engineFlags
	image  string
	quick  bool
	json   bool
	out    io.Writer
}

func newDoctor(engine *engineFlags) *cobra.Command {
	d := &doctor{engine: engine}
	c := &cobra.Command{
		Use: "doctor", Short: "Say what this engine is and what it enforces, and attack it", Args: cobra.NoArgs,
		Long: "Doctor finds the engine as run does, says what it is and what it enforces, runs one job, and makes\n" +
			"the quick ones of the attacks of this project. For that it imports an image which has nothing but\n" +
			"this program, and removes it; no registry is needed. The engine must be on this machine, and this\n" +
			"program linked statically (CGO_ENABLED=0 go install ...). With --image the job runs in another\n" +
			"image, and the attacks are left out.\n\n" +
			"Some attempts are also made outside of a container, by this program and its user, to see whether\n" +
			"the kernel offers them at all. They do no harm there.\n\n" +
			"The exit status is 1 if something does not hold, and if no job could be run.",
		Example: "  sandbox doctor\n  sandbox doctor --json",
		RunE: func(c *cobra.Command, _ []string) error {
			d.out = c.OutOrStdout()
			return d.run(c.Context())
		},
	}
	c.Flags().StringVarP(&d.image, "image", "i", "", "`image` with sh for the job, instead of the attacks")
	c.Flags().BoolVar(&d.quick, "no-attacks", false, "make no attacks")
	c.Flags().BoolVar(&d.json, "json", false, "write it as JSON")
	return c
}

// Finding is one line of doctor's.
type Finding struct {
	What  string `json:"what"`
	Value string `json:"value"`
	Bad   bool   `json:"bad,omitempty"` // it does not hold
}

func (d *doctor) run(ctx context.Context) error {
	e, err := d.engine.connect(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	info, err := e.Info(ctx)
	if err != nil {
		return err
	}
	found := append(e.facts(info), d.try(ctx, e)...)
	if err := d.print(found); err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Bad }) {
		return exit(exitFailed)
	}
	return nil
}

// facts are what the engine is, and what it enforces by the library's own judgement.
func (e engine) facts(info system.Info) []Finding {
	is, yes := e.is, map[bool]string{true: "yes", false: "no"}
	enforced := func(what string, does bool) Finding {
		return Finding{What: what, Value: map[bool]string{true: "enforced", false: "not enforced: jobs with this limit are refused"}[does]}
	}
	seccomp := Finding{What: "seccomp", Value: "the engine's profile is " + is.Seccomp}
	if is.Seccomp == "" {
		seccomp = Finding{What: "seccomp", Value: "none: every job is refused", Bad: true}
	}
	apparmor := slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return strings.HasPrefix(o+",", "name=apparmor,") })
	limits := is.EnforcedBy("")
	return []Finding{
		{What: "engine", Value: e.where.Host + ", chosen by " + e.where.Origin},
		{What: "version", Value: fmt.Sprintf("%s, API %s", info.ServerVersion, e.API().ClientVersion())},
		{What: "machine", Value: fmt.Sprintf("%s, %s, Linux %s, %d CPUs, %d MiB", info.OperatingSystem, is.Architecture, info.KernelVersion, is.CPUs, info.MemTotal>>20)},
		{What: "runtime", Value: fmt.Sprintf("%s, of %s", cmp.Or(is.DefaultRuntime, "unknown"), strings.Join(sorted(is.Runtimes), ", "))},
		{What: "cgroups", Value: fmt.Sprintf("v%s, by %s", cmp.Or(info.CgroupVersion, "1"), cmp.Or(info.CgroupDriver, "unknown"))},
		{What: "rootless", Value: yes[is.Rootless]},
		seccomp,
		{What: "AppArmor", Value: yes[apparmor]},
		{What: "SELinux", Value: yes[is.SELinux]},
		enforced("Limits.CPUs", limits.CPU),
		enforced("Limits.MemoryMB", limits.Memory),
		{What: "swap", Value: map[bool]string{true: "counted: a limit of memory is one of both", false: "not counted: a limit of memory is one of RAM alone"}[is.CountsSwap]},
		enforced("Limits.PIDs", limits.PIDs),
	}
}

// print writes the findings.
func (d *doctor) print(found []Finding) error {
	if d.json {
		out := json.NewEncoder(d.out)
		out.SetIndent("", "  ")
		return out.Encode(found)
	}
	table := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	for _, f := range found {
		mark := "  "
		if f.Bad {
			mark = "! "
		}
		fmt.Fprintf(table, "%s%s\t%s\n", mark, f.What, f.Value)
	}
	return table.Flush()
}
