package sandbox

import (
	"context"
	"regexp"
	"time"

	"github.com/synchestra-io/sandbox/internal/dockerx"
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

// label fills in the run's labels. Its expiry is by the engine's clock, which
// every Sweep can ask for.
func (r *run) label(ctx context.Context, engine dockerx.Engine) {
	expires := noExpiry
	if deadline, bounded := ctx.Deadline(); bounded {
		left := time.Until(deadline) + r.bounds.ending()
		expires = engine.Time(time.Now()).Add(left).UTC().Format(time.RFC3339)
	}
	r.labels = map[string]string{labelRun: r.id, labelOwner: self().String(), labelExpires: expires}
}
