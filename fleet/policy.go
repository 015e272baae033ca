package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

// allow tells what of a job this worker does not allow.
func (o WorkerOptions) allow(j sandbox.Job) error {
	r := &refusals{}
	for _, m := range j.Mounts {
		switch {
		case slices.Contains(o.Mounts, m.Source+":rw"):
		case !slices.Contains(o.Mounts, m.Source) || strings.HasSuffix(m.Source, ":rw"):
			r.add("Mounts source %q is not in WorkerOptions.Mounts", m.Source)
		case !m.ReadOnly:
			r.add("Mounts source %q is read-only; set ReadOnly", m.Source)
		}
	}
	o.allowNetwork(r, "Limits.Network", j.Limits.Network)
	if len(j.Setup.Cmd) > 0 {
		o.allowNetwork(r, "Setup.Network", j.Setup.Network)
		atMost(r, "Setup.Timeout", j.Setup.Timeout, o.Limits.Timeout, 0)
	}
	atMost(r, "Limits.CPUs", j.Limits.CPUs, o.Limits.CPUs, 0)
	atMost(r, "Limits.MemoryMB", j.Limits.MemoryMB, o.Limits.MemoryMB, 0)
	atMost(r, "Limits.PIDs", j.Limits.PIDs, o.Limits.PIDs, 0)
	atMost(r, "Limits.Timeout", j.Limits.Timeout, o.Limits.Timeout, 0)
	atMost(r, "Limits.DiskMB", j.Limits.DiskMB, o.Limits.DiskMB, 0)
	atMost(r, "Limits.LogBytes", j.Limits.LogBytes, o.Limits.LogBytes, 64<<20)
	atMost(r, "Limits.ArtifactBytes", j.Limits.ArtifactBytes, o.Limits.ArtifactBytes, 256<<20)
	return r.err()
}

func (o WorkerOptions) allowNetwork(r *refusals, field, network string) {
	if network == "" {
		network = sandbox.DefaultNetwork
	}
	if !slices.Contains(o.Networks, network) {
		r.add("%s %q is not in WorkerOptions.Networks", field, network)
	}
}

// atMost refuses what is more than the worker allows. 0 asks for byDefault, which is 0 if there
// is no limit then.
func atMost[N int64 | float64 | time.Duration](r *refusals, field string, asked, most, byDefault N) {
	if asked == 0 {
		asked = byDefault
	}
	if most > 0 && (asked == 0 || asked > most) {
		r.add("%s %v: want at most %v, which WorkerOptions.Limits has", field, asked, most)
	}
}

// refusals are what is wrong with a job, as far as anybody wants to read.
type refusals struct {
	all   []error
	count int
}

func (r *refusals) add(format string, args ...any) {
	if r.count++; r.count <= 20 {
		r.all = append(r.all, fmt.Errorf("%w: "+format, append([]any{ErrNotAllowed}, args...)...))
	}
}

func (r *refusals) err() error {
	if r.count > len(r.all) {
		r.all = append(r.all, fmt.Errorf("and %d more", r.count-len(r.all)))
	}
	return errors.Join(r.all...)
}
