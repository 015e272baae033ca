package owner

import (
	"fmt"
	"sync"
	"time"
)

// activeRuns holds the IDs of this process's runs. Whatever else carries the mark of
// this process was left by a clean-up that failed.
var activeRuns sync.Map

// Begin makes a run known as active until endRun.
func Begin(id string) { activeRuns.Store(id, nil) }

// End ends the run: from now on a Sweep may remove what it has left.
func End(id string) { activeRuns.Delete(id) }

// KeepReason tells why an object with these labels must not be removed, "" = it is
// left over. What expired before past is.
func KeepReason(labels map[string]string, past time.Time) string {
	_, active := activeRuns.Load(labels[LabelRun])
	by, known := parse(labels[LabelOwner])
	switch me := Self(); {
	case active:
		return "its run is active in this process"
	case known && by.load == me.load:
		return ""
	case known && by.seenBy(me) && by.runs():
		return fmt.Sprintf("its process (PID %d) is running", by.pid)
	case known && by.seenBy(me):
		return ""
	}
	expires, err := time.Parse(time.RFC3339, labels[LabelExpires])
	switch {
	case err != nil:
		return "its process cannot be seen from here, and it has no expiry"
	case expires.After(past):
		return "its process cannot be seen from here, and it expires at " + labels[LabelExpires]
	}
	return ""
}
