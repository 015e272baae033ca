package owner

import (
	"fmt"
	"time"
)

// KeepReason tells why an object with these labels must not be removed, "" = it is
// left over. What expired before past is.
func KeepReason(labels map[string]string, past time.Time) string {
	if why, seen := processReason(labels); seen {
		return why
	}
	expires, err := time.Parse(time.RFC3339, labels[LabelExpires])
	switch {
	case err != nil:
		return notSeen + "it has no expiry"
	case expires.After(past):
		return notSeen + "it expires at " + labels[LabelExpires]
	}
	return ""
}

const notSeen = "its process cannot be seen from here, and "

// Unseen tells whether nothing but its limits tells if the run of these labels has ended.
func Unseen(labels map[string]string) bool {
	_, seen := processReason(labels)
	return !seen
}

// processReason is the part of KeepReason that goes by the process, if that can be seen
// from here.
func processReason(labels map[string]string) (why string, seen bool) {
	active := isActive(labels[LabelRun])
	by, known := parse(labels[LabelOwner])
	switch me := Self(); {
	case active:
		return "its run is active in this process", true
	case known && by.load == me.load:
		return "", true
	case known && by.seenBy(me) && by.runs():
		return fmt.Sprintf("its process (PID %d) is running", by.pid), true
	}
	return "", known && by.seenBy(Self())
}

// KeepReasonByStart is KeepReason for the objects of an unseen run whose command has
// limits, and whose container was started; the zero time is not yet.
func KeepReasonByStart(labels map[string]string, started time.Time, running bool, past time.Time) string {
	if started.IsZero() {
		return notSeen + "its command has not started"
	}
	if over := LimitsOf(labels).Over(started, running); over.After(past) {
		return notSeen + "it must have ended at " + over.UTC().Format(time.RFC3339)
	}
	return ""
}
