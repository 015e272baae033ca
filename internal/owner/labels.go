package owner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
)

// Labels of every container and volume. All of them are always set, since a
// container also takes on the labels of its image.
const (
	LabelRun     = "io.synchestra.sandbox.run"     // the run's ID
	LabelOwner   = "io.synchestra.sandbox.owner"   // the process, see Process
	LabelExpires = "io.synchestra.sandbox.expires" // when the run must have ended, RFC 3339, or NoExpiry
	LabelTimeout = "io.synchestra.sandbox.timeout" // of the command, from its start, or NoExpiry; see Limits
	LabelEnding  = "io.synchestra.sandbox.ending"
	LabelReading = "io.synchestra.sandbox.reading"
)

// NoExpiry is the expiry of a run whose context has no deadline, and the timeout of a
// command that has none.
const NoExpiry = "never"

// NamePrefix is in front of every name, before the run's ID.
const NamePrefix = "sandbox-"

// objectName matches the names of a run: the job's container, that of its Setup, the
// staging container, the volume with the host files and the container that refers to it,
// volumes, and the containers of module egress. Its group is the run's ID.
var objectName = regexp.MustCompile(`^` + NamePrefix + `([0-9a-f]{32})(-setup|-stage|-host|-egress|-[0-9]+)?$`)

// EgressName is the name of the container of an egress gateway, or of the network namespace
// of one of its runs.
func EgressName(id string) string { return NamePrefix + id + egressSuffix }

const egressSuffix = "-egress"

// IsEgress tells whether a name is one that EgressName returns.
func IsEgress(name string) bool {
	return objectName.MatchString(name) && strings.HasSuffix(name, egressSuffix)
}

// SetupName is the name of the container that the Setup of a run is in.
func SetupName(run string) string { return run + "-setup" }

// Ours tells whether the name and the labels of an object are those of a run.
func Ours(name string, labels map[string]string) bool {
	m := objectName.FindStringSubmatch(name)
	return m != nil && m[1] == labels[LabelRun]
}

// OfCommand tells whether the name is that of the container that the command of a run
// is in, or its Setup. A run never has both.
func OfCommand(name, run string) bool {
	return name == NamePrefix+run || name == SetupName(NamePrefix+run)
}

// Labels returns the labels of a run of this process that must have ended at expires, by
// the engine's clock; the zero time is never. Its command has no timeout.
func Labels(run string, expires time.Time) map[string]string {
	text := NoExpiry
	if !expires.IsZero() {
		text = expires.UTC().Format(time.RFC3339)
	}
	return map[string]string{
		LabelRun: run, LabelOwner: Self().String(), LabelExpires: text,
		LabelTimeout: NoExpiry, LabelEnding: NoExpiry, LabelReading: NoExpiry,
	}
}

type runIDKey struct{}

// WithID returns a context whose next run has the ID id.
func WithID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, runIDKey{}, id)
}

// NewID returns the ID of a new run: that of the context, or a random one.
func NewID(ctx context.Context) string {
	if id, ok := ctx.Value(runIDKey{}).(string); ok {
		return id
	}
	return RandomID()
}

// RandomID has 128 bits: the names made of it are nobody else's.
func RandomID() string {
	id := make([]byte, 16)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}
