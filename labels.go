package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"time"
)

// Labels of every container and volume. All of them are always set, since a
// container also takes on the labels of its image.
const (
	labelRun     = "io.synchestra.sandbox.run"     // the run's ID
	labelOwner   = "io.synchestra.sandbox.owner"   // the process, see owner
	labelExpires = "io.synchestra.sandbox.expires" // when the run must have ended, RFC 3339, or noExpiry
)

const noExpiry = "never"

// namePrefix is in front of every name, before the run's ID.
const namePrefix = "sandbox-"

// objectName matches the names of a run: the job's container, the staging
// container, and volumes. Its group is the run's ID.
var objectName = regexp.MustCompile(`^` + namePrefix + `([0-9a-f]{32})(-stage|-[0-9]+)?$`)

// ours tells whether the name and the labels of an object are those of a run.
func ours(name string, labels map[string]string) bool {
	m := objectName.FindStringSubmatch(name)
	return m != nil && m[1] == labels[labelRun]
}

// labelsOf returns the labels of a run of this process that must have ended at
// expires, by the engine's clock; the zero time is never.
func labelsOf(run string, expires time.Time) map[string]string {
	text := noExpiry
	if !expires.IsZero() {
		text = expires.UTC().Format(time.RFC3339)
	}
	return map[string]string{labelRun: run, labelOwner: self().String(), labelExpires: text}
}

type runIDKey struct{}

// withID returns a context whose next run has the ID id.
func withID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, runIDKey{}, id)
}

// newID returns the ID of a new run: that of the context, or a random one.
func newID(ctx context.Context) string {
	if id, ok := ctx.Value(runIDKey{}).(string); ok {
		return id
	}
	return randomID()
}

// randomID has 128 bits: the names made of it are nobody else's.
func randomID() string {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}
