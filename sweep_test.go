//go:build linux

package sandbox

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

func TestWhatStays(t *testing.T) {
	past := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	before, after := "2026-05-04T03:02:00Z", "2026-05-04T03:02:02Z"
	running, _, _ := neighbour(t)
	ended := endedOwner(t)
	reused := running
	reused.start += "0"
	secondLoad := self()
	secondLoad.load = randomID()
	unseen := owner{place: someBoot + "/1/2", pid: self().pid, start: self().start, load: randomID()}
	nobody := owner{place: noPlace, start: "0", load: randomID()}
	liveRun := randomID()
	beginRun(liveRun)
	defer endRun(liveRun)

	const cannotSee = "its process cannot be seen from here, and it "
	for name, c := range map[string]struct {
		run, owner, expires string
		why                 string // a part; "" = it is removed
	}{
		"a live run of this process":           {liveRun, self().String(), noExpiry, "its run is live in this process"},
		"a live run, as no label tells":        {liveRun, "", before, "its run is live in this process"},
		"this process, no live run":            {"", self().String(), after, ""},
		"the other copy of this package":       {"", secondLoad.String(), before, "is running"},
		"a running process, expired":           {"", running.String(), before, "its process, PID "},
		"an ended process, not expired":        {"", ended.String(), after, ""},
		"an ended process, no expiry":          {"", ended.String(), noExpiry, ""},
		"an ended process whose PID is reused": {"", reused.String(), after, ""},
		"unseen, expired":                      {"", unseen.String(), before, ""},
		"unseen, just expired":                 {"", unseen.String(), "2026-05-04T03:02:01Z", ""},
		"unseen, expired by a zone":            {"", unseen.String(), "2026-05-04T05:02:00+02:00", ""},
		"unseen, not expired":                  {"", unseen.String(), after, cannotSee + "expires at " + after},
		"unseen, not expired by a zone":        {"", unseen.String(), "2026-05-04T02:02:02-01:00", cannotSee + "expires at"},
		"unseen, no expiry":                    {"", unseen.String(), noExpiry, cannotSee + "has no expiry"},
		"unseen, empty expiry":                 {"", unseen.String(), "", cannotSee + "has no expiry"},
		"unseen, malformed expiry":             {"", unseen.String(), "2026-05-04", cannotSee + "has no expiry"},
		"an owner that sees nobody, expired":   {"", nobody.String(), before, ""},
		"an owner that sees nobody, no expiry": {"", nobody.String(), noExpiry, cannotSee + "has no expiry"},
		"a malformed owner, expired":           {"", "me", before, ""},
		"a malformed owner, no expiry":         {"", "me", noExpiry, cannotSee + "has no expiry"},
		"no labels but the run's":              {"", "", "", cannotSee + "has no expiry"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.run == "" {
				c.run = randomID()
			}
			labels := map[string]string{labelRun: c.run, labelOwner: c.owner, labelExpires: c.expires}
			why := keepReason(labels, past)
			require.Equal(t, c.why == "", why == "", why)
			require.Contains(t, why, c.why)
		})
	}
}

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
			run := r.newRun(ctx)
			defer run.end(ctx)
			run.label(ctx, engine)
			expires, err := time.Parse(time.RFC3339, run.labels[labelExpires])
			require.NoError(t, err)
			want := time.Now().Add(ahead + time.Hour + bounds.Default().Ending())
			require.WithinDuration(t, want, expires, time.Minute)

			object := func(left time.Duration) dockerx.Object {
				id := randomID()
				return dockerx.Object{Kind: dockerx.KindVolume, Name: namePrefix + id + "-0", Labels: map[string]string{
					labelRun: id, labelExpires: time.Now().Add(ahead + left).UTC().Format(time.RFC3339),
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
					"volume " + grace.Name + why + grace.Labels[labelExpires],
					"volume " + future.Name + why + future.Labels[labelExpires],
				},
			}, report)
		})
	}
}
