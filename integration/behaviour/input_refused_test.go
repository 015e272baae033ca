//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// refusedInput runs a job whose input must be refused, so that it has no output.
func refusedInput(t *testing.T, input io.Reader) error {
	t.Helper()
	enginetest.CheckGoroutines(t)
	j := runtest.Shell("echo ran")
	j.InputTar = input
	res, err := runtest.Do(t, j)
	var step *sandbox.Error
	require.ErrorAs(t, err, &step)
	require.Equal(t, sandbox.OpStage, step.Op, "%v", err)
	require.Equal(t, -1, res.ExitCode)
	require.Nil(t, res.Logs)
	return err
}

// The unit tests have all refusals. Here one of each kind reaches the caller; nothing
// runs, and nothing is left.
func TestInputRefused(t *testing.T) {
	enginetest.Busybox()
	whole := tarball.Of(tarball.File{Name: "first", Body: "good"}, tarball.File{Name: "last", Body: strings.Repeat("x", 100000)})
	for name, c := range map[string]struct {
		input []byte
		want  string
	}{
		"no tar":          {bytes.Repeat([]byte("text "), 1000), "InputTar: not a tar archive"},
		"empty":           {nil, "InputTar: no data; "},
		"compressed":      {append([]byte("\x1f\x8b\x08\x00"), make([]byte, 2000)...), "compressed with gzip; decompress it first"},
		"cut in a header": {whole[:700], "InputTar: truncated: "},
		"cut in a body":   {whole[:50000], "truncated: "},
		"no trailer":      {whole[:len(whole)-1024], "truncated: the trailer is missing"},
		"absolute name":   {tarball.Of(tarball.File{Name: "ok"}, tarball.File{Name: "/etc/x"}), `InputTar: entry "/etc/x": the name is absolute`},
		"dot dot":         {tarball.Of(tarball.File{Name: "../../x"}), `entry "../../x": the name contains ".."`},
		"below a link":    {tarball.Of(tarball.File{Name: "l", Kind: tar.TypeSymlink, Link: "/etc"}, tarball.File{Name: "l/x"}), `entry "l/x": it is below the symbolic link "l"`},
		"escaping link":   {tarball.Of(tarball.File{Name: "h", Kind: tar.TypeLink, Link: "../h"}), `entry "h": hard link to "../h"`},
		"too deep":        {tarball.Of(tarball.File{Name: strings.Repeat("d/", 128) + "f"}), "the name has 129 components, which is more than 128"},
		"device":          {tarball.Of(tarball.File{Name: "d", Kind: tar.TypeChar}), `entry "d": devices are refused`},
		"fifo":            {tarball.Of(tarball.File{Name: "f", Kind: tar.TypeFifo}), `entry "f": fifos are refused`},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, refusedInput(t, bytes.NewReader(c.input)), "sandbox: stage: ")
			require.ErrorContains(t, refusedInput(t, iotest.HalfReader(bytes.NewReader(c.input))), c.want)
		})
	}
}

// A few bytes of a sparse archive would fill the engine's disk.
func TestInputThatIsSparse(t *testing.T) {
	dir := t.TempDir()
	bomb, err := os.Create(filepath.Join(dir, "bomb"))
	require.NoError(t, err)
	require.NoError(t, bomb.Truncate(1<<40))
	require.NoError(t, bomb.Close())
	for _, format := range []string{"gnu", "posix"} {
		archive, err := exec.Command("tar", "--sparse", "--format="+format, "-C", dir, "-c", "bomb").Output()
		require.NoError(t, err, "this test needs GNU tar")
		require.Less(t, len(archive), 1<<20)
		require.ErrorContains(t, refusedInput(t, bytes.NewReader(archive)), `entry "bomb": sparse files are refused`)
	}
}

func TestInputReaderThatFails(t *testing.T) {
	broken := errors.New("the disk is on fire")
	whole := tarball.Of(tarball.File{Name: "a", Body: strings.Repeat("x", 1<<20)})
	for _, n := range []int{0, 512, 300000, len(whole) - 512} {
		input := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken))
		require.ErrorIs(t, refusedInput(t, input), broken, "after %d bytes", n)
	}
}

// A Read that never returns keeps its goroutine, but does not hold up the run.
func TestInputReaderThatHangs(t *testing.T) {
	enginetest.Busybox()
	release := make(chan struct{})
	reading, bound := make(chan struct{}), promptly(t)
	j := runtest.Shell("echo ran")
	j.InputTar = runtest.ReaderFunc(func([]byte) (int, error) {
		close(reading)
		<-release
		return 0, io.EOF
	})
	enginetest.CheckGoroutines(t)
	defer close(release)
	ctx, cancel := context.WithCancel(context.Background())
	moment := make(chan time.Time, 1)
	go func() {
		<-reading
		cancel()
		moment <- time.Now()
	}()
	res, err := runtest.DoContext(t, ctx, j)
	require.Less(t, time.Since(<-moment), bound)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, -1, res.ExitCode)
}
