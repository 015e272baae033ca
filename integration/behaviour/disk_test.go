//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestDiskCap(t *testing.T) {
	t.Parallel()
	image := enginetest.MakeImage(t, "disk", enginetest.BusyboxFiles(), "VOLUME /data")
	for _, dir := range []string{"/workspace", "/tmp", "/data", "/dev/shm"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			j := runtest.ShellWithDisk("exec 2>&1; echo kept >/workspace/first; dd if=/dev/zero of="+dir+`/big bs=1M count=300
				du -sk /workspace /tmp /data /dev/shm | awk '{s+=$1} END {print s}'`, 64)
			j.Image = image
			j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: strings.Repeat("x", 10<<20)}))
			j.Collect = []string{"/workspace/first"}
			res := runtest.OK(t, j)
			require.Contains(t, string(res.Logs), "No space left on device")
			require.Equal(t, "kept\n", string(res.Artifacts["/workspace/first"]))
			require.True(t, res.DiskFull)
			lines := strings.Fields(string(res.Logs))
			used, err := strconv.Atoi(lines[len(lines)-1])
			require.NoError(t, err, "%s", res.Logs)
			require.LessOrEqual(t, used, 64<<10, "KiB, the input among them")
			require.Greater(t, used, 63<<10)
		})
	}
}

// The directories share one cap.
func TestDiskCapIsOne(t *testing.T) {
	t.Parallel()
	j := runtest.ShellWithDisk(`exec 2>/dev/null; for d in /workspace /tmp /dev/shm; do dd if=/dev/zero of=$d/big bs=1M count=6; done
		du -sk /workspace /tmp /dev/shm | awk '{s+=$1} END {print s}'`, 16)
	res := runtest.OK(t, j)
	used, err := strconv.Atoi(strings.TrimSpace(string(res.Logs)))
	require.NoError(t, err, "%s", res.Logs)
	require.LessOrEqual(t, used, 16<<10)
	require.Greater(t, used, 15<<10)
	require.True(t, res.DiskFull)
}

// The number of files is capped too: one inode for every 8 KiB, and at least 1024.
func TestDiskInodes(t *testing.T) {
	t.Parallel()
	for megabytes, inodes := range map[int64]int{1: 1024, 16: 2048} {
		t.Run(fmt.Sprint(megabytes), func(t *testing.T) {
			t.Parallel()
			j := runtest.ShellWithDisk(`exec 2>/dev/null; echo kept >/workspace/first; i=0
				while true >/tmp/$i; do i=$((i+1)); done; mkdir /workspace/d || ln -s x /dev/shm/l || echo $i`, megabytes)
			j.Collect = []string{"/workspace/first"}
			res := runtest.OK(t, j)
			made, err := strconv.Atoi(strings.TrimSpace(string(res.Logs)))
			require.NoError(t, err, "%s", res.Logs)
			require.Less(t, made, inodes)
			require.Greater(t, made, inodes-50)
			require.Equal(t, "kept\n", string(res.Artifacts["/workspace/first"]))
			require.True(t, res.DiskFull)
		})
	}
}

// The size of a file is capped too; a file without content could have any size.
func TestDiskSparseFile(t *testing.T) {
	t.Parallel()
	j := runtest.ShellWithDisk(`exec 2>/dev/null; (truncate -s 1024G /tmp/f); echo $?; stat -c %s /tmp/f
		truncate -s 16M /tmp/g && stat -c %s /tmp/g`, 16)
	j.Collect = []string{"/tmp"}
	res := runtest.OK(t, j)
	require.Equal(t, "153\n0\n16777216\n", string(res.Logs), "killed by SIGXFSZ")
	require.Empty(t, res.Artifacts["/tmp/f"])
	require.Len(t, res.Artifacts["/tmp/g"], 16<<20)
	require.False(t, res.DiskFull, "it has no content")
}

// The memory of the disk counts against the job that writes to it. Nothing runs beside
// this test, because a busy engine loses reports.
func TestDiskAndMemory(t *testing.T) {
	j := runtest.ShellWithDisk("dd if=/dev/zero of=/tmp/big bs=1M count=200; du -sm /tmp", 256)
	j.Limits.MemoryMB = 32
	j.Limits.Timeout = bounds.Default().Return()
	res := runtest.Starved(t, j)
	require.True(t, res.OOMKilled, "%s", res.Logs)
	require.False(t, res.TimedOut)
	require.False(t, res.DiskFull)
}

// Files of one directory come in one request. What is no regular file, or is missing, is told
// as if each had been asked for.
func TestDiskCollectsSiblingsAtOnce(t *testing.T) {
	t.Parallel()
	p := enginetest.NewProxy(t, enginetest.API, nil)
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	j := runtest.ShellWithDisk("cd /workspace; for i in 1 2 3; do echo $i >f$i; done; : >empty; ln -s f1 link; ln f1 z", 16)
	for _, name := range []string{"f1", "f2", "f3", "empty", "link", "missing"} {
		j.Collect = append(j.Collect, "/workspace/"+name)
	}
	res, _, err := runtest.RunWith(context.Background(), r, j)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, map[string]string{"/workspace/f1": "1\n", "/workspace/f2": "2\n", "/workspace/f3": "3\n", "/workspace/empty": ""}, texts(res))
	require.Len(t, res.Uncollected, 2)
	require.ErrorIs(t, res.Uncollected["/workspace/link"], sandbox.ErrNotRegular)
	require.ErrorIs(t, res.Uncollected["/workspace/missing"], fs.ErrNotExist)
	downloads := slices.DeleteFunc(p.Requests(), func(x string) bool { return x != "GET /containers/job/archive" })
	require.Len(t, downloads, 1)
}
