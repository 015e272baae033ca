//go:build docker

package behaviour_test

import (
	"archive/tar"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// linkedImage is an image with links, by their names.
func linkedImage(t *testing.T, links map[string]string) string {
	t.Helper()
	files := append(enginetest.BusyboxFiles(), tarball.File{Name: "srv/"}, tarball.File{Name: "opt/"})
	files = slices.DeleteFunc(files, func(f tarball.File) bool { return links[strings.TrimSuffix(f.Name, "/")] != "" })
	for name, target := range links {
		files = append(files, tarball.File{Name: name, Kind: tar.TypeSymlink, Link: target})
	}
	return enginetest.MakeImage(t, "linked", files)
}

// Links of the image's make one place of two of the run's directories. One of them is
// hidden then, and nothing is lost without a word.
func TestCollectWhereTheImageHasALink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		links    map[string]string
		inputDir string
		says     string
		collect  []string
	}{
		"to another directory": {map[string]string{"workspace": "tmp"}, "", `"/workspace" is at "/tmp"`,
			[]string{"/tmp", "/tmp/x", "/workspace", "/workspace/x"}},
		"both to a third":  {map[string]string{"workspace": "srv", "tmp": "srv"}, "", `"/workspace" is at "/srv"`, []string{"/tmp/x", "/workspace/x"}},
		"by way of a link": {map[string]string{"code": "opt", "opt/src": "/tmp"}, "/code/src", `"/code/src" is at "/tmp"`, []string{"/tmp", "/code/src/x"}},
		"inside the other": {map[string]string{"workspace": "/tmp/work"}, "", `"/workspace" is at "/tmp/work"`, []string{"/tmp", "/workspace/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := linkedImage(t, c.links)
			for _, disk := range disks() {
				j := collecting("for d in /tmp /workspace; do echo 1 >$d/x; done", c.collect...)
				j.Image, j.Limits.DiskMB, j.InputDir = image, disk, c.inputDir
				res, err := runtest.Do(t, j)
				if err != nil { // newer engines refuse to read there, and say why
					runtest.RequireOwnError(t, err, sandbox.OpCollect)
					require.ErrorContains(t, err, "path escapes from parent")
					require.Empty(t, res.Artifacts)
					continue
				}
				want := map[string]error{}
				for _, path := range c.collect {
					want[path] = sandbox.ErrNotRegular
				}
				requireUncollected(t, res, want)
				for _, path := range c.collect {
					require.ErrorContains(t, res.Uncollected[path], c.says)
				}
				require.Empty(t, res.Artifacts)
			}
		})
	}
}

// Where a link leads to a place of its own, nothing is hidden.
func TestCollectBesideALink(t *testing.T) {
	t.Parallel()
	image := linkedImage(t, map[string]string{"workspace": "srv"})
	for _, disk := range disks() {
		j := collecting("echo 1 >/tmp/x; echo 2 >/workspace/y", "/tmp", "/workspace/y")
		j.Image, j.Limits.DiskMB = image, disk
		res := runtest.OK(t, j)
		require.Equal(t, map[string]string{"/tmp/x": "1\n", "/workspace/y": "2\n"}, texts(res))
	}
}
