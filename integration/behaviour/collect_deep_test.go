//go:build docker

package behaviour_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// withProbe is a script that has the probe, and the paths to collect.
func withProbe(script string, paths ...string) sandbox.Job {
	j := collecting("cd /workspace; "+script, paths...)
	j.Image = enginetest.BusyboxWithProbe()
	j.Limits.Timeout = time.Minute
	return j
}

// A tree can be deeper than the longest path. That affects neither the other
// artifacts nor the clean-up.
func TestCollectBeyondPathMax(t *testing.T) {
	t.Parallel()
	const pathMax = 4096
	name := strings.Repeat("d", 255)
	level := func(n int) string { return "/workspace/deep" + strings.Repeat("/"+name, n) + "/file" }
	for where, disk := range map[string]int64{"volume": 0, "disk": 64} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			j := withProbe("mkdir deep; /probe deep deep 40 "+name+"; echo kept >file",
				"/workspace/deep", level(14), level(20), "/workspace/file")
			j.Limits.DiskMB = disk
			res := runtest.OK(t, j)
			require.Empty(t, string(res.Logs))
			want := map[string]string{"/workspace/file": "kept\n"}
			for n := range 40 {
				if len(level(n)) < pathMax {
					want[level(n)] = "deep"
				}
			}
			require.Equal(t, want, texts(res))
			requireUncollected(t, res, map[string]error{level(20): sandbox.ErrNotRegular})
		})
	}
}

// Short names allow the most levels. To remove them from a volume the engine opens
// one more file for each level; on a disk there is nothing to remove.
func TestCollectManyLevels(t *testing.T) {
	t.Parallel()
	for where, c := range map[string]struct{ levels, disk int64 }{"volume": {3000, 0}, "disk": {20_000, 512}} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			j := withProbe(fmt.Sprintf("mkdir deep; /probe deep deep %d d; echo kept >file", c.levels), "/workspace/deep", "/workspace/file")
			j.Limits.DiskMB = c.disk
			res := runtest.OK(t, j)
			require.Empty(t, string(res.Logs))
			require.Equal(t, "kept\n", string(res.Artifacts["/workspace/file"]))
			require.Equal(t, "deep", string(res.Artifacts["/workspace/deep/"+strings.Repeat("d/", 1000)+"file"]))
			require.Nil(t, res.Uncollected)
		})
	}
}

// mostEntries is how many files, directories and links are read from directories; see
// Limits.ArtifactBytes.
const mostEntries = 100_000

// onLargeDisk is withProbe for many files, which a disk creates fastest.
func onLargeDisk(script string, paths ...string) sandbox.Job {
	j := withProbe(script, paths...)
	j.Limits.DiskMB = 1024
	return j
}

// The cap is on all directories together. They count themselves, and so does whatever
// has no content of its own. What was read before is kept, and a file that is collected
// by its own path does not count.
func TestCollectCountsExactly(t *testing.T) {
	t.Parallel()
	const empty = 20_000 // directories, and links of each kind
	files := mostEntries - 3*empty - len([]string{"all", "all/files", "all/directories", "all/symlinks", "all/hardlinks", "e", "e/1"})
	j := onLargeDisk(fmt.Sprintf(`mkdir all; /probe many files all/files %d
for k in directories symlinks hardlinks; do /probe many $k all/$k %d; done
mkdir e; echo 1 >e/1; echo 2 >e/2; echo kept >file`, files, empty), "/workspace/all", "/workspace/e", "/workspace/file")
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs))
	require.Equal(t, "1\n", string(res.Artifacts["/workspace/e/1"]))
	require.Equal(t, "kept\n", string(res.Artifacts["/workspace/file"]))
	require.Len(t, res.Artifacts, files+empty+2, "hard links are files")
	require.Len(t, res.Uncollected, empty+1, "symbolic links and e")
	require.ErrorIs(t, res.Uncollected["/workspace/all/symlinks/0"], sandbox.ErrNotRegular)
	require.ErrorIs(t, res.Uncollected["/workspace/e"], sandbox.ErrTooLarge)
}
