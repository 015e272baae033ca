//go:build docker

package behaviour_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// In every writable directory a job can create files, which it owns, and execute
// them. All these directories are on the same file system.
func TestDiskPlaces(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(shared, "given"), []byte("given"), 0o644))
	nested := enginetest.MakeImage(t, "nested", enginetest.BusyboxFiles(), "VOLUME /workspace/sub", "VOLUME /workspace/sub/sub")
	input := tarball.Of(tarball.File{Name: "in", Body: "input"}, tarball.File{Name: "sub/sub/in", Body: "nested"})
	for name, c := range map[string]struct {
		places string
		edit   func(*sandbox.Job)
		come   string // what must come back, beside the files made here
	}{
		"without input":    {"/workspace /tmp", func(*sandbox.Job) {}, ""},
		"with input":       {"/workspace /tmp", func(j *sandbox.Job) { j.InputTar = bytes.NewReader(input) }, "/workspace/in"},
		"input elsewhere":  {"/src /workspace /tmp", func(j *sandbox.Job) { j.InputTar, j.InputDir = bytes.NewReader(input), "/src" }, "/src/in"},
		"below the others": {"/tmp/a/b /workspace /tmp", func(j *sandbox.Job) { j.InputTar, j.InputDir = bytes.NewReader(input), "/tmp/a/b" }, "/tmp/a/b/in"},
		"nested volumes": {"/workspace /workspace/sub /workspace/sub/sub /tmp", func(j *sandbox.Job) {
			j.Image, j.InputTar = nested, bytes.NewReader(input)
		}, "/workspace/sub/sub/in"},
		"beside a mount": {"/workspace /tmp", func(j *sandbox.Job) {
			j.Mounts = []sandbox.Mount{{Source: shared, Target: "/workspace/shared", ReadOnly: true}}
		}, "/workspace/shared/given"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.ShellWithDisk(`for d in `+c.places+`; do
				cp /bin/busybox $d/ && $d/busybox echo ran && stat -c %u:%g $d $d/busybox
				df -k $d | awk 'NR == 2 {print $2}'
				awk -v d=/$(echo $d | cut -d/ -f2) '$2 == d {print $3, $4}' /proc/mounts
				echo made >$d/made; rm $d/busybox
			done`, 16)
			c.edit(&j)
			j.Collect = strings.Fields(c.places)
			if c.come != "" {
				j.Collect = append(j.Collect, c.come)
			}
			res := runtest.OK(t, j)
			lines := strings.Split(strings.TrimSpace(string(res.Logs)), "\n")
			require.Len(t, lines, 5*len(strings.Fields(c.places)), "%s", res.Logs)
			for i := 0; i < len(lines); i += 5 {
				require.Equal(t, []string{"ran", "65532:65532", "65532:65532", "16384"}, lines[i:i+4])
				require.True(t, strings.HasPrefix(lines[i+4], "tmpfs rw,nosuid,nodev,"), lines[i+4])
				require.NotContains(t, lines[i+4], "noexec")
			}
			for _, d := range strings.Fields(c.places) {
				require.Equal(t, "made\n", string(res.Artifacts[d+"/made"]), d)
			}
			if c.come != "" {
				require.Contains(t, res.Artifacts, c.come)
			}
			require.False(t, res.DiskFull)
		})
	}
}

// The image needs nothing for a disk, not even a shell.
func TestDiskFromScratch(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"/workspace/out", "/tmp/out"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			res := runtest.OK(t, sandbox.Job{
				Image: enginetest.Scratch(), Cmd: []string{"/probe", "write", where, "text"}, Collect: []string{where},
				Limits: sandbox.Limits{Network: "none", DiskMB: 1},
			})
			require.Zero(t, res.ExitCode, "%s", res.Logs)
			require.Equal(t, map[string][]byte{where: []byte("text")}, res.Artifacts)
			require.False(t, res.DiskFull)
		})
	}
}

// The ENTRYPOINT and CMD of an image apply to the job, not to the container that holds
// the disk.
func TestDiskAndEntrypoint(t *testing.T) {
	t.Parallel()
	j := runtest.ShellWithDisk("", 1)
	j.Image = enginetest.MakeImage(t, "entry", enginetest.BusyboxFiles(), `ENTRYPOINT ["echo", "entry"]`, `CMD ["never"]`, "WORKDIR /not/there", "USER nobody")
	j.Cmd = []string{"cmd"}
	require.Equal(t, "entry cmd\n", runtest.Output(t, j))
}

func TestDiskInputThatDoesNotFit(t *testing.T) {
	t.Parallel()
	many := make([]tarball.File, 0, 1200)
	for i := range cap(many) {
		many = append(many, tarball.File{Name: strings.Repeat("d/", i%5) + "f" + strings.Repeat("x", i%200) + string(rune('a'+i%26)) + strings.Repeat("y", i/200)})
	}
	for name, files := range map[string][]tarball.File{
		"one file":   {{Name: "big", Body: strings.Repeat("x", 2<<20)}},
		"some files": {{Name: "a", Body: strings.Repeat("x", 600<<10)}, {Name: "b", Body: strings.Repeat("x", 600<<10)}},
		"many files": many,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.ShellWithDisk("echo ran", 1)
			j.InputTar = bytes.NewReader(tarball.Of(files...))
			res, err := runtest.Do(t, j)
			var step *sandbox.Error
			require.ErrorAs(t, err, &step)
			require.Equal(t, sandbox.OpStage, step.Op)
			require.ErrorContains(t, err, "InputTar does not fit into Limits.DiskMB 1")
			require.NotErrorIs(t, err, sandbox.ErrUnsupported)
			require.Equal(t, -1, res.ExitCode)
			require.Empty(t, res.Logs)
		})
	}
}

// An error that the cap did not cause does not blame it.
func TestDiskInputThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		input io.Reader
		want  string
	}{
		"a full disk of the caller's": {iotest.ErrReader(syscall.ENOSPC), "no space left on device"},
		"a file in a volume's place":  {bytes.NewReader(tarball.Of(tarball.File{Name: "sub", Body: "x"})), "sub"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := runtest.ShellWithDisk("echo ran", 1)
			j.Image = enginetest.MakeImage(t, "sub", enginetest.BusyboxFiles(), "VOLUME /workspace/sub")
			j.InputTar = c.input
			res, err := runtest.Do(t, j)
			runtest.RequireOwnError(t, err, sandbox.OpStage)
			require.ErrorContains(t, err, c.want)
			require.NotErrorIs(t, err, sandbox.ErrUnsupported)
			require.NotContains(t, err.Error(), "DiskMB")
			require.Empty(t, res.Logs)
		})
	}
}
