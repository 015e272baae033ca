//go:build linux

package sandbox

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// The machines of the engine, of a run and of a Sweep need not agree on the time.
func TestExpiryIsByTheEnginesClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, ahead := range map[string]time.Duration{"ahead": year, "behind": -year} {
		t.Run(name, func(t *testing.T) {
			e := &fakeEngine{ahead: ahead}
			r := e.runner(t)
			engine, err := r.connect(context.Background())
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			_, run := newRun(ctx, r.client, nil)
			defer run.end()
			run.prepare(ctx, plan{}, engine, dockerx.Image{})
			expires, err := time.Parse(time.RFC3339, run.labels[owner.LabelExpires])
			require.NoError(t, err)
			want := time.Now().Add(ahead + time.Hour + bounds.Default().Return())
			require.WithinDuration(t, want, expires, time.Minute)

			object := func(left time.Duration) dockerx.Object {
				id := owner.RandomID()
				return dockerx.Object{Kind: dockerx.KindVolume, Name: owner.NamePrefix + id + "-0", Labels: map[string]string{
					owner.LabelRun: id, owner.LabelExpires: time.Now().Add(ahead + left).UTC().Format(time.RFC3339),
				}}
			}
			expired, grace, future := object(-bounds.Default().Grace-time.Minute), object(-time.Minute), object(time.Minute)
			e.volumes = []dockerx.Object{expired, grace, future}
			report, err := r.Sweep(context.Background())
			require.NoError(t, err)
			const why = ": its process cannot be seen from here, and it expires at "
			require.Equal(t, SweepReport{
				Removed: []string{"volume " + expired.Name},
				Left: []string{
					"volume " + grace.Name + why + grace.Labels[owner.LabelExpires],
					"volume " + future.Name + why + future.Labels[owner.LabelExpires],
				},
			}, report)
		})
	}
}

// elsewhere is the label of a process that cannot be seen from here.
const elsewhere = "01234567-89ab-cdef-0123-456789abcdef/1/2/1/1/0123456789abcdef0123456789abcdef"

// unseenRun gives a fake engine the objects of a run of an unseen process, and returns
// its ID.
func (e *fakeEngine) unseenRun(limits owner.Limits, state map[string]any) string {
	id := owner.RandomID()
	labels := owner.Labels(id, time.Time{})
	labels[owner.LabelOwner] = elsewhere
	limits.Label(labels)
	name := owner.NamePrefix + id
	e.containers = append(e.containers,
		dockerx.Object{Name: name + "-stage", Labels: labels},
		dockerx.Object{Name: name, Labels: labels})
	e.volumes = append(e.volumes, dockerx.Object{Name: name + "-0", Labels: labels})
	if e.states == nil {
		e.states = map[string]map[string]any{}
	}
	e.states[name] = state
	return id
}

func stateOf(status string, started time.Time) map[string]any {
	return map[string]any{"Status": status, "StartedAt": started.UTC().Format(time.RFC3339Nano)}
}

// Nobody but its caller knows when a job without a deadline must have ended, unless its
// container and the engine tell.
func TestSweepByTimeout(t *testing.T) {
	const ahead = 1000 * time.Hour // of the engine's clock
	grace := bounds.Default().Grace
	limits := owner.Limits{Timeout: time.Hour, Ending: time.Minute, Reading: 10 * time.Minute}
	over := time.Hour + time.Minute + grace // a run's age when it is over
	const notSeen = "its process cannot be seen from here, and "
	for name, c := range map[string]struct {
		limits owner.Limits
		status string
		age    time.Duration // of its last start; 0 = none
		why    string        // a part; "" = it is removed
	}{
		"running":               {limits, "running", over + time.Minute, ""},
		"running, in time":      {limits, "running", over - time.Minute, notSeen + "it must have ended at "},
		"paused":                {limits, "paused", over + time.Minute, ""},
		"exited":                {limits, "exited", over + 11*time.Minute, ""},
		"exited, being read":    {limits, "exited", over + 9*time.Minute, notSeen + "it must have ended at "},
		"dead":                  {limits, "dead", over + 11*time.Minute, ""},
		"from the future":       {limits, "running", -time.Hour, notSeen + "it must have ended at "},
		"not started":           {limits, "created", 0, notSeen + "its command has not started"},
		"no timeout":            {owner.Limits{}, "running", 10000 * time.Hour, notSeen + "it has no expiry"},
		"for ever and a day":    {owner.Limits{Timeout: math.MaxInt64, Ending: time.Minute}, "running", 10000 * time.Hour, notSeen + "it must have ended at 2"},
		"state that is unknown": {limits, "", 0, notSeen + "the start of its command is not known: "},
	} {
		t.Run(name, func(t *testing.T) {
			e := &fakeEngine{ahead: ahead}
			r := e.runner(t)
			state := stateOf(c.status, time.Now().Add(ahead-c.age))
			if c.age == 0 {
				state = stateOf(c.status, time.Time{})
			}
			if c.status == "" {
				state = nil
			}
			id := e.unseenRun(c.limits, state)
			would, err := r.Leftovers(context.Background())
			require.NoError(t, err)
			report, err := r.Sweep(context.Background())
			require.NoError(t, err)
			require.Equal(t, would, report)
			if c.why == "" {
				require.Len(t, report.Removed, 3)
				require.Empty(t, report.Left)
				return
			}
			require.Empty(t, report.Removed)
			require.Len(t, report.Left, 3)
			for _, left := range report.Left {
				require.Contains(t, left, owner.NamePrefix+id)
				require.Contains(t, left, c.why)
			}
		})
	}
}

// What can be told in another way is not inspected: a container can hang.
func TestSweepInspectsNoMoreThanItMust(t *testing.T) {
	e := &fakeEngine{}
	r := e.runner(t)
	e.unseenRun(owner.Limits{}, nil)
	timed := owner.Limits{Timeout: time.Hour}
	own, ended, active := e.unseenRun(timed, nil), e.unseenRun(timed, nil), e.unseenRun(timed, nil)
	owner.Begin(active)
	defer owner.End(active)
	for _, o := range slices.Concat(e.containers, e.volumes) {
		switch o.Labels[owner.LabelRun] {
		case own:
			o.Labels[owner.LabelOwner] = owner.Self().String()
		case ended:
			o.Labels[owner.LabelExpires] = "2020-01-01T00:00:00Z"
		}
	}
	report, err := r.Sweep(context.Background())
	require.NoError(t, err)
	require.Len(t, report.Removed, 6)
	require.Len(t, report.Left, 6)
	for _, request := range e.requests {
		require.NotContains(t, request, "GET /containers/"+owner.NamePrefix)
	}
}

// The container that tells that a run is over is removed first, as it must be. What is
// left then does not stay for ever.
func TestSweepThatRemovesHalfOfARun(t *testing.T) {
	e := &fakeEngine{failing: "-0"}
	r := e.runner(t)
	id := e.unseenRun(owner.Limits{Timeout: time.Hour}, stateOf("running", time.Now().Add(-2*time.Hour)))
	report, err := r.Sweep(context.Background())
	require.ErrorIs(t, err, ErrCleanup)
	requireOp(t, OpCleanup, err)
	require.Len(t, report.Removed, 2)
	require.Len(t, report.Left, 1)

	e.containers, e.failing = nil, ""
	report, err = r.Sweep(context.Background())
	require.NoError(t, err)
	require.Equal(t, SweepReport{Removed: []string{"volume " + owner.NamePrefix + id + "-0"}}, report)
}

// FuzzExpiry: no expiry is sooner than the run's deadline, or 200 years if that is farther
// away. There was a Sweep that removed a running container since its deadline, in the
// year 9999, had become an expiry in 1734.
func FuzzExpiry(f *testing.F) {
	for _, year := range []int{1, 1970, 2026, 2262, 2330, 9999, 100_000} {
		f.Add(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	}
	client, err := dockerx.New(dockerx.Address{Host: "unix:///nobody.sock"})
	require.NoError(f, err)
	farthest := time.Now().Add(200 * 365 * 24 * time.Hour)
	f.Fuzz(func(t *testing.T, seconds int64) {
		deadline := time.Unix(seconds%(1<<50), 0)
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		_, run := newRun(ctx, client, nil)
		defer run.end()
		run.prepare(ctx, plan{}, dockerx.Engine{}, dockerx.Image{})
		expires, err := time.Parse(time.RFC3339, run.labels[owner.LabelExpires])
		require.NoError(t, err)
		if deadline.After(farthest) {
			deadline = farthest
		}
		require.False(t, expires.Before(deadline), "%v for %v", expires, deadline)
	})
}
