//go:build linux

package sandbox

import (
	"context"
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
			run := newRun(ctx, r.client)
			defer run.end(ctx)
			run.label(ctx, engine)
			expires, err := time.Parse(time.RFC3339, run.labels[owner.LabelExpires])
			require.NoError(t, err)
			want := time.Now().Add(ahead + time.Hour + bounds.Default().Ending())
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
