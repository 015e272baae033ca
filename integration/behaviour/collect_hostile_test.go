//go:build docker

package behaviour_test

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// The engine reports an internal error for links that it cannot resolve. A job cannot
// turn that into an error of the run, nor keep other artifacts from coming out.
func TestCollectUnresolvableLinks(t *testing.T) {
	t.Parallel()
	want := map[string]error{}
	j := collecting(`cd /workspace; echo kept >file; ln -s self self; ln -s b a; ln -s a b; ln -s file/x through; ln -s /nowhere dangling
		ln -s `+strings.Repeat("long", 64)+` long; ln -s ../../../.. climbing; mkdir d; ln -s self d/self; echo kept >d/file`,
		"/workspace/d", "/workspace/file")
	for _, name := range []string{"self", "a", "through", "dangling", "long", "climbing", "self/x", "a/x", "through/x", "dangling/x", "climbing/etc/os-release"} {
		j.Collect = append(j.Collect, "/workspace/"+name)
		want["/workspace/"+name] = sandbox.ErrNotRegular
	}
	want["/workspace/d/self"] = sandbox.ErrNotRegular
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs))
	require.Equal(t, map[string]string{"/workspace/file": "kept\n", "/workspace/d/file": "kept\n"}, texts(res))
	requireUncollected(t, res, want)
}

// A job can move the parents of a mount point that lies in another writable
// directory, and put a link in their place.
func TestCollectFollowsNoLinkAboveAMountPoint(t *testing.T) {
	t.Parallel()
	j := collecting("cd /workspace; mv a away; mkdir -p lure/b; echo lure >lure/file; ln -s lure a; echo kept >file",
		"/workspace/a", "/workspace/a/file", "/workspace/file")
	j.InputDir = "/workspace/a/b"
	res := runtest.OK(t, j)
	require.Equal(t, map[string]string{"/workspace/file": "kept\n"}, texts(res))
	requireUncollected(t, res, map[string]error{"/workspace/a": sandbox.ErrNotRegular, "/workspace/a/file": sandbox.ErrNotRegular})
}

// If a volume can no longer be mounted, the engine answers nothing about any path.
// The run reports that, and its other results are kept.
func TestCollectWithoutAMountPoint(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"ln -s a a", "echo >a", "mkfifo a"} {
		j := collecting("cd /workspace; echo ran; mv a away; "+script+"; exit 3", "/workspace/file", "/tmp/file")
		j.InputDir, j.InputTar = "/workspace/a/b", bytes.NewReader(tarball.Of())
		res, err := runtest.Do(t, j)
		var step *sandbox.Error
		require.ErrorAs(t, err, &step, script)
		require.Equal(t, sandbox.OpCollect, step.Op, script)
		require.Equal(t, 3, res.ExitCode)
		require.Equal(t, "ran\n", string(res.Logs))
		require.Nil(t, res.Artifacts)
	}
}

// A device in an image is as real as one in /dev. A job can create the device 0:0.
func TestCollectReadsNoDevice(t *testing.T) {
	t.Parallel()
	j := collecting("cd /workspace; mkdir dir; mknod node c 0 0; mknod dir/node c 0 0; echo kept >dir/file",
		"/workspace/node", "/workspace/dir", "/nodes/disk", "/nodes")
	j.Image = enginetest.MakeImage(t, "nodes", append(enginetest.BusyboxFiles(),
		tarball.File{Name: "nodes/"}, tarball.File{Name: "nodes/file", Body: "kept\n"}, tarball.File{Name: "nodes/disk", Kind: tar.TypeBlock},
		tarball.File{Name: "nodes/fifo", Kind: tar.TypeFifo}))
	res := runtest.OK(t, j)
	require.Empty(t, string(res.Logs))
	require.Equal(t, map[string]string{"/workspace/dir/file": "kept\n", "/nodes/file": "kept\n"}, texts(res))
	requireUncollected(t, res, map[string]error{
		"/workspace/node": sandbox.ErrNotRegular, "/workspace/dir/node": sandbox.ErrNotRegular,
		"/nodes/disk": sandbox.ErrNotRegular, "/nodes/fifo": sandbox.ErrNotRegular,
	})
}

// A file that does not fit hides neither what comes after it in its directory nor
// other paths.
func TestCollectDirectoryOverTheCap(t *testing.T) {
	t.Parallel()
	j := collecting("cd /workspace; mkdir d; echo 123 >d/a; echo 1234567 >d/b; ln d/b d/b2; echo 1 >d/c; echo 123 >f", "/workspace/d", "/workspace/f")
	j.Limits.ArtifactBytes = 10
	res := runtest.OK(t, j)
	require.Equal(t, map[string]string{"/workspace/d/a": "123\n", "/workspace/d/c": "1\n", "/workspace/f": "123\n"}, texts(res))
	requireUncollected(t, res, map[string]error{"/workspace/d/b": sandbox.ErrTooLarge, "/workspace/d/b2": sandbox.ErrTooLarge})

	// 300 MB may not be skipped, 200 MB may.
	j = collecting("cd /workspace; mkdir d; echo 1 >d/a; truncate -s 200M d/b; truncate -s 300M d/c; echo 1 >d/d", "/workspace/d")
	j.Limits.ArtifactBytes = 10
	res = runtest.OK(t, j)
	require.NotEmpty(t, res.Uncollected)
	require.ErrorIs(t, res.Uncollected["/workspace/d"], sandbox.ErrTooLarge)
	require.ErrorIs(t, res.Uncollected["/workspace/d/c"], sandbox.ErrTooLarge)
	require.ErrorContains(t, res.Uncollected["/workspace/d"], "only partly read")

	// A hard link takes no space on the disk, but the caller gets its content.
	j = collecting("cd /workspace; mkdir d; echo 12345 >d/a; ln d/a d/b; ln d/a d/c", "/workspace/d")
	j.Limits.ArtifactBytes = 12
	res = runtest.OK(t, j)
	require.Equal(t, map[string]string{"/workspace/d/a": "12345\n", "/workspace/d/b": "12345\n"}, texts(res))
	requireUncollected(t, res, map[string]error{"/workspace/d/c": sandbox.ErrTooLarge})
}

// The caller also has to hold the name of an empty file, and the reason for a link.
func TestCollectBoundsNames(t *testing.T) {
	t.Parallel()
	deep := "/workspace/" + strings.Repeat(strings.Repeat("d", 250)+"/", 14)
	for _, command := range []string{"touch", `sh -c 'ln -s "$@" .' -`} {
		j := collecting("mkdir -p "+deep+"; cd "+deep+"; seq 1000 | xargs "+command, "/workspace")
		j.Limits.ArtifactBytes = 1 << 10
		res := runtest.OK(t, j)
		require.Empty(t, string(res.Logs))
		var size int
		for p := range res.Artifacts {
			size += len(p)
		}
		for p, why := range res.Uncollected {
			size += len(p) + len(why.Error())
		}
		require.Less(t, size, 2<<20, "bytes of names and reasons")
		require.ErrorIs(t, res.Uncollected["/workspace"], sandbox.ErrTooLarge)
	}
}
