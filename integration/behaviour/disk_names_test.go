//go:build docker

package behaviour_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// Whatever the caller calls its directories, the disk's own names are no others': the
// job has its directory, and whether the disk is full can be told.
func TestDiskNames(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/probe", "/probe/probe", "/tree", "/tree/tree", "/tree/probe"} {
		for name, edit := range map[string]func(*sandbox.Job){
			"InputDir": func(j *sandbox.Job) {
				j.InputDir, j.InputTar = dir, bytes.NewReader(tarball.Of(tarball.File{Name: "tree/probe/in", Body: "input"}))
			},
			"VOLUME": func(j *sandbox.Job) {
				j.Image = enginetest.MakeImage(t, "names", enginetest.BusyboxFiles(), "VOLUME "+dir)
			},
		} {
			t.Run(name+" "+dir, func(t *testing.T) {
				t.Parallel()
				j := runtest.ShellWithDisk("echo made >"+dir+"/made; find "+dir+" -type f | sort", 16)
				j.Collect = []string{dir}
				edit(&j)
				full := runtest.ShellWithDisk("dd if=/dev/zero of="+dir+"/big bs=1M count=20 2>/dev/null; true", 16)
				edit(&full)
				want := map[string]string{dir + "/made": "made\n"}
				logs := dir + "/made\n"
				if j.InputTar != nil {
					want[dir+"/tree/probe/in"] = "input"
					logs += dir + "/tree/probe/in\n"
				}
				res := runtest.OK(t, j)
				require.Equal(t, logs, string(res.Logs))
				require.Equal(t, want, texts(res))
				require.Empty(t, res.Uncollected)
				require.False(t, res.DiskFull)
				require.True(t, runtest.OK(t, full).DiskFull)
			})
		}
	}
}
