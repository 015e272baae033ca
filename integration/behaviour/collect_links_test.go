//go:build docker

package behaviour_test

import (
	"archive/tar"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// linkedImage is an image with a link in place of /workspace.
func linkedImage(t *testing.T, target string) string {
	t.Helper()
	link := tarball.File{Name: "workspace", Kind: tar.TypeSymlink, Link: target}
	return enginetest.MakeImage(t, "linked", append(enginetest.BusyboxFiles(), link, tarball.File{Name: "srv/"}))
}

// A link of the image's makes one place of two of the run's directories. One of them is
// hidden then, and nothing is lost without a word.
func TestCollectWhereTheImageHasALink(t *testing.T) {
	t.Parallel()
	image := linkedImage(t, "tmp")
	for _, disk := range []int64{0, 16} {
		for _, path := range []string{"/tmp", "/tmp/x", "/workspace", "/workspace/x"} {
			j := collecting("echo 1 >/tmp/x; echo 2 >/workspace/y", path)
			j.Image, j.Limits.DiskMB = image, disk
			res := runtest.OK(t, j)
			requireUncollected(t, res, map[string]error{path: sandbox.ErrNotRegular})
			require.ErrorContains(t, res.Uncollected[path], `the image has a link from "/workspace" to "/tmp"`)
			require.Empty(t, res.Artifacts)
		}
	}
}

// Where the link leads to a place of its own, nothing is hidden.
func TestCollectBesideALink(t *testing.T) {
	t.Parallel()
	image := linkedImage(t, "srv")
	for _, disk := range []int64{0, 16} {
		j := collecting("echo 1 >/tmp/x; echo 2 >/workspace/y", "/tmp", "/workspace/y")
		j.Image, j.Limits.DiskMB = image, disk
		res := runtest.OK(t, j)
		require.Equal(t, map[string]string{"/tmp/x": "1\n", "/workspace/y": "2\n"}, texts(res))
	}
}
