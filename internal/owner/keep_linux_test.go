package owner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatStays(t *testing.T) {
	past := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	before, after := "2026-05-04T03:02:00Z", "2026-05-04T03:02:02Z"
	running, _, _ := neighbour(t)
	ended := endedOwner(t)
	reused := running
	reused.start += "0"
	secondLoad := Self()
	secondLoad.load = RandomID()
	unseen := Process{place: someBoot + "/1/2", pid: Self().pid, start: Self().start, load: RandomID()}
	nobody := Process{place: noPlace, start: "0", load: RandomID()}
	liveRun := RandomID()
	Begin(liveRun)
	defer End(liveRun)

	const cannotSee = "its process cannot be seen from here, and it "
	for name, c := range map[string]struct {
		run, owner, expires string
		why                 string // a part; "" = it is removed
	}{
		"a live run of this process":           {liveRun, Self().String(), NoExpiry, "its run is active in this process"},
		"a live run, as no label tells":        {liveRun, "", before, "its run is active in this process"},
		"this process, no live run":            {"", Self().String(), after, ""},
		"the other copy of this package":       {"", secondLoad.String(), before, "is running"},
		"a running process, expired":           {"", running.String(), before, "its process (PID "},
		"an ended process, not expired":        {"", ended.String(), after, ""},
		"an ended process, no expiry":          {"", ended.String(), NoExpiry, ""},
		"an ended process whose PID is reused": {"", reused.String(), after, ""},
		"unseen, expired":                      {"", unseen.String(), before, ""},
		"unseen, just expired":                 {"", unseen.String(), "2026-05-04T03:02:01Z", ""},
		"unseen, expired by a zone":            {"", unseen.String(), "2026-05-04T05:02:00+02:00", ""},
		"unseen, not expired":                  {"", unseen.String(), after, cannotSee + "expires at " + after},
		"unseen, not expired by a zone":        {"", unseen.String(), "2026-05-04T02:02:02-01:00", cannotSee + "expires at"},
		"unseen, no expiry":                    {"", unseen.String(), NoExpiry, cannotSee + "has no expiry"},
		"unseen, empty expiry":                 {"", unseen.String(), "", cannotSee + "has no expiry"},
		"unseen, malformed expiry":             {"", unseen.String(), "2026-05-04", cannotSee + "has no expiry"},
		"an owner that sees nobody, expired":   {"", nobody.String(), before, ""},
		"an owner that sees nobody, no expiry": {"", nobody.String(), NoExpiry, cannotSee + "has no expiry"},
		"a malformed owner, expired":           {"", "me", before, ""},
		"a malformed owner, no expiry":         {"", "me", NoExpiry, cannotSee + "has no expiry"},
		"no labels but the run's":              {"", "", "", cannotSee + "has no expiry"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.run == "" {
				c.run = RandomID()
			}
			labels := map[string]string{LabelRun: c.run, LabelOwner: c.owner, LabelExpires: c.expires}
			why := KeepReason(labels, past)
			require.Equal(t, c.why == "", why == "", why)
			require.Contains(t, why, c.why)
		})
	}
}
