//go:build docker && podman

package behaviour_test

import (
	"bytes"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// What Podman cannot do is refused by name, before anything is made.
func TestPodmanRefuses(t *testing.T) {
	t.Parallel()
	require.True(t, enginetest.Podman())
	for want, edit := range map[string]func(*sandbox.Job){
		"Limits.DiskMB 16: ":        func(j *sandbox.Job) { j.Limits.DiskMB = 16 },
		`InputDir "/a,b": `:         func(j *sandbox.Job) { j.InputDir = "/a,b" },
		`Mounts[0].Source "/a:b": `: func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: "/a:b", Target: "/c"}} },
		`Mounts[0].Source "/a?": `:  func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: "/a?", Target: "/c"}} },
		`Mounts[0].Target "/var": `: func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: "/a", Target: "/var"}} },
		`Mounts[0].Target "/\"": `:  func(j *sandbox.Job) { j.Mounts = []sandbox.Mount{{Source: "/a", Target: `/"`}} },
	} {
		j := runtest.Shell("echo ran")
		edit(&j)
		_, err := runtest.Do(t, j)
		runtest.RequireOwnError(t, err, sandbox.OpValidate)
		require.ErrorIs(t, err, sandbox.ErrUnsupported)
		require.ErrorContains(t, err, want)
	}
	r, err := sandbox.New(sandbox.Options{Runtime: "crun"})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.RunOnce(t.Context(), runtest.Shell("echo ran"))
	require.ErrorIs(t, err, sandbox.ErrUnsupported)
	require.ErrorContains(t, err, `Options.Runtime "crun": `)
}

// Podman makes the sources of mounts that do not exist, unless it is not asked to.
func TestPodmanMakesNothingOnTheHost(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	j := runtest.Shell("echo ran")
	j.Mounts = []sandbox.Mount{{Source: absent, Target: "/in", ReadOnly: true}}
	refused(t, j, sandbox.OpCreate, `Mounts[0].Source "`+absent+`" does not exist`)
	_, err := os.Lstat(absent)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Podman follows the links that a job made, but not out of the run's own directories. What
// has another name than it was asked for is known to be a link's.
func TestPodmanFollowsLinksInsideAlone(t *testing.T) {
	t.Parallel()
	j := runtest.Shell(`cd /workspace; echo inside >file; ln -s file other; ln -s /etc/passwd passwd; mkdir d; ln -s ../../../../../../etc/passwd d/passwd
		ln -s /etc etc; ln -s ../file d/file`)
	j.InputTar = bytes.NewReader(tarball.Of())
	for _, name := range []string{"other", "passwd", "d/passwd", "etc/passwd", "d/file"} {
		j.Collect = append(j.Collect, "/workspace/"+name)
	}
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs))
	require.Equal(t, map[string]string{"/workspace/d/file": "inside\n"}, texts(res))
	require.Len(t, res.Uncollected, 4)
}

// A mount hides what is below it, and is read by itself. A directory comes with what is
// mounted inside it.
func TestPodmanCollectsMounts(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.Chmod(dir, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "host"), []byte("host\n"), 0o644))
	files := append(enginetest.BusyboxFiles(), tarball.File{Name: "srv/"}, tarball.File{Name: "srv/image", Body: "image\n"})
	j := runtest.Shell("echo new >/srv/in/sub/file; echo out >/srv/in/out")
	j.Image = enginetest.MakeImage(t, "podman-mounts", files)
	j.InputDir = "/srv/in"
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "sub/file", Body: "hidden\n"}, tarball.File{Name: "sub/gone"}))
	j.Mounts = []sandbox.Mount{{Source: dir, Target: "/srv/in/sub"}, {Source: dir, Target: "/mnt", ReadOnly: true}}
	j.Collect = []string{"/srv", "/srv/in/sub/file", "/mnt"}
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs))
	require.Nil(t, res.Uncollected)
	require.Equal(t, map[string]string{
		"/srv/image": "image\n", "/srv/in/out": "out\n", "/srv/in/sub/file": "new\n", "/srv/in/sub/host": "host\n",
		"/mnt/file": "new\n", "/mnt/host": "host\n",
	}, texts(res))
}

// No name that a job can make fails the run. Patterns are not asked for.
func TestPodmanOddNames(t *testing.T) {
	t.Parallel()
	names := []string{"~~~", "größe.txt", "日本語.txt", "a>b>c>d", "ÿÿÿ"}
	j := runtest.Shell(`cd /workspace; echo ok >ok; echo a >a; ln -s '????' out; ln -s '>>>>>>' l123; ln -s '[a]' link
		mkdir -p d/own d/own2; ln -s 'd/own*' own; for f; do echo "$f" >"$f"; done`)
	j.Cmd = append(append(j.Cmd, "sh"), names...)
	want := map[string]string{"/workspace/ok": "ok\n"}
	for _, name := range append(names, "ok") {
		j.Collect = append(j.Collect, "/workspace/"+name)
		if name != "ok" {
			want["/workspace/"+name] = name + "\n"
		}
	}
	missed := []string{"/workspace/[ab]", "/workspace/out", "/workspace/l123", "/workspace/link", "/workspace/own"}
	j.Collect = append(j.Collect, missed...)
	res := runtest.OK(t, j)
	require.Equal(t, want, texts(res))
	require.Len(t, res.Uncollected, len(missed))
	require.ErrorIs(t, res.Uncollected[missed[0]], sandbox.ErrUnsupported)
}

// Podman has files in /etc, too, and the input does not decide where they are.
func TestPodmanFilesAreClaimed(t *testing.T) {
	t.Parallel()
	for _, claimed := range []string{"/etc/passwd", "/etc/group", "/var/tmp", "/run/secrets"} {
		j := runtest.Shell("echo ran")
		j.InputDir = path.Dir(claimed)
		j.InputTar = bytes.NewReader(tarball.Of(symlink(path.Base(claimed), "/workspace/x")))
		refused(t, j, sandbox.OpStage, claimed)
	}
}

// No byte of the input is an order to Podman, or lost: it has keys for detaching.
func TestPodmanPassesOnEveryByte(t *testing.T) {
	t.Parallel()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	big := strings.Repeat("x", 64<<10)
	for _, parts := range [][]string{{"\x1f", big}, {"\x10", "\x11", big}, {"\x10\x11", big}, {string(all), big}} {
		var readers []io.Reader
		for _, part := range parts { // each is a Read of its own
			readers = append(readers, strings.NewReader(part))
		}
		j := runtest.Shell("cat")
		j.Stdin = io.MultiReader(readers...)
		require.Equal(t, strings.Join(parts, ""), runtest.Output(t, j))
	}
}

// An input that breaks off is no input that ends.
func TestPodmanLosesTheInput(t *testing.T) {
	t.Parallel()
	p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
		if strings.HasSuffix(x.Text, "/attach") && x.Request.FormValue("stdin") == "1" {
			x.Copy = func(_ io.Writer, output io.Reader) { output.Read(make([]byte, 1)) } // and hangs up
		}
		x.Forward()
	})
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	defer r.Close()
	b := bounds.Default()
	b.Drain = time.Second
	j := runtest.Shell("echo begun; wc -c; sleep 60")
	input, writer := io.Pipe()
	defer writer.Close()
	j.Stdin = input
	res, id, err := runtest.RunWith(bounds.With(t.Context(), b), r, j)
	runtest.RequireOwnError(t, err, sandbox.OpWait)
	require.ErrorContains(t, err, "input lost: its connection to the engine broke")
	require.Equal(t, 137, res.ExitCode)
	require.Empty(t, enginetest.LeftOf(t, id))
}

// Where a directory of Podman's own would land in one of the run's, nothing runs.
func TestPodmanRefusesLinksOfTheImage(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"var/tmp": "/tmp", "tmp": "var/tmp"} {
		j := runtest.Shell("echo ran")
		j.Image = linkedImage(t, map[string]string{name: target})
		j.Collect = []string{"/tmp/x"}
		_, err := runtest.Do(t, j)
		runtest.RequireOwnError(t, err, sandbox.OpStage)
		require.ErrorIs(t, err, sandbox.ErrUnsupported)
		require.ErrorContains(t, err, `"/`+name+`" is at`)
	}
}
