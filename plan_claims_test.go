package sandbox

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// The table names all that is resolved on a run's behalf before the command starts.
func TestPlanClaims(t *testing.T) {
	image := dockerx.Image{Volumes: []string{"/data", "/workspace/cache"}, WorkDir: "/workspace/src"}
	dirs := claims.Table{
		{Path: "/data", By: "the image's VOLUME"}, {Path: "/tmp", By: "the writable directory"},
		{Path: "/workspace", By: "the writable directory"}, {Path: "/workspace/cache", By: "the image's VOLUME"},
	}
	mounts := []Mount{{Source: "/srv/a", Target: "/workspace/a", ReadOnly: true}, {Source: "/srv/b", Target: "/etc/hosts", ReadOnly: true}}
	for name, c := range map[string]struct {
		edit func(*Job)
		want claims.Table
	}{
		"image's WORKDIR": {func(*Job) {}, append(dirs, claims.Claim{Path: "/workspace/src", By: "the image's WORKDIR"})},
		"WorkDir":         {func(j *Job) { j.WorkDir = "/workspace/x" }, append(dirs, claims.Claim{Path: "/workspace/x", By: "WorkDir"})},
		"DiskMB": {func(j *Job) { j.WorkDir, j.Limits.DiskMB = "/workspace/x", 1 }, append(claims.Table{
			dirs[0], {Path: "/dev/shm", By: "the writable directory"}}, append(dirs[1:], claims.Claim{Path: "/workspace/x", By: "WorkDir"})...)},
		"mounts": {func(j *Job) { j.Mounts = mounts }, append(claims.Table{{Path: "/workspace/a", By: "Mounts[0].Target"}, {Path: "/etc/hosts", By: "Mounts[1].Target"}},
			append(dirs, claims.Claim{Path: "/workspace/src", By: "the image's WORKDIR"})...)},
		"WorkDir in a mount": {func(j *Job) { j.Mounts, j.WorkDir = mounts[:1], "/workspace/a/x" }, append(claims.Table{{Path: "/workspace/a", By: "Mounts[0].Target"}}, dirs...)},
		"collected":          {func(j *Job) { j.Collect, j.WorkDir = []string{"/workspace/out"}, "/tmp" }, append(dirs, claims.Claim{Path: "/tmp", By: "WorkDir"})},
	} {
		t.Run(name, func(t *testing.T) {
			j := goodJob()
			j.InputTar = strings.NewReader("")
			c.edit(&j)
			p, err := newPlan(j, "tcp://127.0.0.1:1")
			require.NoError(t, err)
			found, err := p.directories(image)
			require.NoError(t, err)
			want := c.want
			for _, file := range engineFiles {
				if !p.mounted(file) {
					want.File(file, "the engine's own file")
				}
			}
			require.Equal(t, want, p.claims(image, found, false))
		})
	}
}
