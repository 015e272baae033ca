package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/tarball"
	"github.com/synchestra-io/sandbox/isolation"
)

const treePrefix = "run/work"

// rewrite sends a tar through a Rewriter, as staging does.
func rewrite(input io.Reader) ([]byte, error) { return rewriteClaimed(input, nil) }

func rewriteClaimed(input io.Reader, table claims.Table) ([]byte, error) {
	var out bytes.Buffer
	tree := NewRewriter(&out, treePrefix, table.Below(treeDir))
	if err := tree.Root(treePrefix); err != nil {
		return nil, err
	}
	if err := tree.Copy(input); err != nil {
		return nil, err
	}
	err := tree.Close()
	return out.Bytes(), err
}

// requireSafe asserts what the engine may rely on in a rewritten tar, and
// returns its headers by name.
func requireSafe(t testing.TB, archive []byte) map[string]*tar.Header {
	t.Helper()
	headers := map[string]*tar.Header{}
	in := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := in.Next()
		if err == io.EOF {
			return headers
		}
		require.NoError(t, err)
		name := strings.TrimSuffix(h.Name, "/")
		require.Equal(t, path.Clean(name), name)
		require.True(t, name == treePrefix || strings.HasPrefix(name, treePrefix+"/"), "%q is outside", name)
		require.Equal(t, []int{isolation.UID, isolation.GID}, []int{h.Uid, h.Gid}, name)
		require.Contains(t, []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink}, h.Typeflag, name)
		require.Zero(t, h.Mode&^0o777, name)
		for key := range h.PAXRecords {
			require.Contains(t, []string{"path", "linkpath", "size", "mtime"}, key)
		}
		if name != treePrefix {
			parent := headers[path.Dir(name)]
			require.NotNil(t, parent, "%q comes before its parent", name)
			require.EqualValues(t, tar.TypeDir, parent.Typeflag, "the parent of %q", name)
		}
		if h.Typeflag == tar.TypeLink {
			target := headers[h.Linkname]
			require.NotNil(t, target, "%q links to %q", name, h.Linkname)
		}
		if old := headers[name]; old != nil {
			require.Equal(t, regular(old.Typeflag), regular(h.Typeflag), name)
		}
		headers[name] = h
		_, err = io.Copy(io.Discard, in)
		require.NoError(t, err)
	}
}

// What is below a mount point goes to its place, and only there: the deepest one decides.
func TestRewriterMounts(t *testing.T) {
	var out bytes.Buffer
	tree := NewRewriter(&out, "run/0", nil)
	require.NoError(t, tree.Root("run/0"))
	require.NoError(t, tree.Mount("a/vol", "run/1"))
	require.NoError(t, tree.Mount("a/vol/inner", "run/2"))
	require.NoError(t, tree.Copy(bytes.NewReader(tarball.Of(
		tarball.File{Name: "a/vol/f"}, tarball.File{Name: "a/vol/inner/f"}, tarball.File{Name: "a/volume"},
		tarball.File{Name: "a/vol/inner/g", Kind: tar.TypeLink, Link: "a/vol/f"},
	))))
	require.NoError(t, tree.Close())
	var names []string
	for in := tar.NewReader(&out); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		names = append(names, h.Name)
		if h.Typeflag == tar.TypeLink {
			require.Equal(t, "run/1/f", h.Linkname)
		}
	}
	require.Equal(t, []string{"run/0/", "run/0/a/", "run/0/a/vol/", "run/1/", "run/1/inner/", "run/2/", "run/1/f", "run/2/f", "run/0/a/volume", "run/2/g"}, names)
}

func TestRewriterRewrites(t *testing.T) {
	archive, err := rewrite(iotest.OneByteReader(bytes.NewReader(tarball.Of(
		tarball.File{Name: "./", Mode: 0o500},
		tarball.File{Name: "./deep/below/file", Body: "text", Mode: 0o444},
		tarball.File{Name: "setuid", Mode: 0o6755},
		tarball.File{Name: "sticky/", Mode: 0o1555},
		tarball.File{Name: "attr", PAX: map[string]string{"SCHILY.xattr.security.capability": "x"}},
		tarball.File{Name: "hard", Kind: tar.TypeLink, Link: "./setuid"},
		tarball.File{Name: "soft", Kind: tar.TypeSymlink, Link: "../../../etc/passwd"},
		tarball.File{Name: "twice", Body: "old"}, tarball.File{Name: "twice", Body: "new"},
	))))
	require.NoError(t, err)
	headers := requireSafe(t, archive)
	for name, mode := range map[string]int64{
		"": 0o755, "deep": 0o755, "deep/below": 0o755, "deep/below/file": 0o644, "setuid": 0o755, "sticky": 0o755, "attr": 0o644,
	} {
		h := headers[path.Join(treePrefix, name)]
		require.NotNil(t, h, name)
		require.Equal(t, mode, h.Mode, name)
	}
	require.Equal(t, "../../../etc/passwd", headers[treePrefix+"/soft"].Linkname)
	require.Equal(t, treePrefix+"/setuid", headers[treePrefix+"/hard"].Linkname)
}

// Each attack is refused whole: the error names the entry and says why.
func TestRewriterRefuses(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		files []tarball.File
		want  string
	}{
		"absolute":             {[]tarball.File{{Name: "/etc/passwd"}}, `entry "/etc/passwd": the name is absolute`},
		"dot dot":              {[]tarball.File{{Name: "../x"}}, `entry "../x": the name contains ".."`},
		"dot dot inside":       {[]tarball.File{{Name: "a/../b"}}, `the name contains ".."`},
		"long part":            {[]tarball.File{{Name: "a/" + long}}, "longer than 255 bytes"},
		"long name":            {[]tarball.File{{Name: strings.Repeat("a/", 1600)}}, "longer than 3072 bytes"},
		"device":               {[]tarball.File{{Name: "sda", Kind: tar.TypeBlock}}, "devices are refused"},
		"character device":     {[]tarball.File{{Name: "null", Kind: tar.TypeChar}}, "devices are refused"},
		"fifo":                 {[]tarball.File{{Name: "pipe", Kind: tar.TypeFifo}}, "fifos are refused"},
		"unknown type":         {[]tarball.File{{Name: "x", Kind: 'Z'}}, `entries of type 'Z' are refused`},
		"root is a file":       {[]tarball.File{{Name: "."}}, "root is not a directory"},
		"below a link":         {[]tarball.File{{Name: "l", Kind: tar.TypeSymlink, Link: "/etc"}, {Name: "l/x"}}, `entry "l/x": it is below the symbolic link "l"`},
		"deep below a link":    {[]tarball.File{{Name: "d/l", Kind: tar.TypeSymlink, Link: "/"}, {Name: "d/l/etc/x"}}, `below the symbolic link "d/l"`},
		"link, then directory": {[]tarball.File{{Name: "l", Kind: tar.TypeSymlink, Link: "/etc"}, {Name: "l/"}}, "twice, with different types"},
		"directory, then link": {[]tarball.File{{Name: "d/"}, {Name: "d", Kind: tar.TypeSymlink, Link: "/etc"}}, "twice, with different types"},
		"implied, then link":   {[]tarball.File{{Name: "d/x"}, {Name: "d", Kind: tar.TypeSymlink, Link: "/etc"}}, "twice, with different types"},
		"below a file":         {[]tarball.File{{Name: "f"}, {Name: "f/x"}}, `below "f", which is not a directory`},
		"link to nothing":      {[]tarball.File{{Name: "l", Kind: tar.TypeSymlink}}, "the symbolic link has 0 bytes"},
		"hard link outside":    {[]tarball.File{{Name: "h", Kind: tar.TypeLink, Link: "../../etc/passwd"}}, `hard link to "../../etc/passwd"`},
		"hard link absolute":   {[]tarball.File{{Name: "h", Kind: tar.TypeLink, Link: "/etc/passwd"}}, `hard link to "/etc/passwd"`},
		"hard link ahead":      {[]tarball.File{{Name: "h", Kind: tar.TypeLink, Link: "f"}, {Name: "f"}}, "not a regular file earlier"},
		"hard link to a link":  {[]tarball.File{{Name: "l", Kind: tar.TypeSymlink, Link: "/etc/passwd"}, {Name: "h", Kind: tar.TypeLink, Link: "l"}}, "not a regular file earlier"},
		"hard link via a link": {[]tarball.File{{Name: "l", Kind: tar.TypeSymlink, Link: "/etc"}, {Name: "h", Kind: tar.TypeLink, Link: "l/passwd"}}, "not a regular file earlier"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rewrite(bytes.NewReader(tarball.Of(c.files...)))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// GNU tar stores a file that it is given twice as a hard link to itself.
func TestRewriterSkipsLinksToThemselves(t *testing.T) {
	archive, err := rewrite(bytes.NewReader(tarball.Of(tarball.File{Name: "a", Body: "x"}, tarball.File{Name: "./a", Kind: tar.TypeLink, Link: "a"})))
	require.NoError(t, err)
	require.EqualValues(t, tar.TypeReg, requireSafe(t, archive)[treePrefix+"/a"].Typeflag)
}

func TestRewriterSkipsGlobalHeaders(t *testing.T) {
	archive, err := rewrite(bytes.NewReader(tarball.Of(
		tarball.File{Kind: tar.TypeXGlobalHeader, PAX: map[string]string{"comment": "a commit"}}, tarball.File{Name: "a"})))
	require.NoError(t, err)
	require.Len(t, requireSafe(t, archive), 2)
}

func TestRewriterReturnsTheReadersError(t *testing.T) {
	broken := errors.New("the disk is on fire")
	whole := tarball.Of(tarball.File{Name: "a", Body: strings.Repeat("x", 5000)})
	for _, at := range []int{0, 100, 512, 3000} {
		_, err := rewrite(io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken, "at byte %d", at)
	}
}

// The content of all files goes through one buffer.
func TestRewriterAllocatesLittlePerFile(t *testing.T) {
	const files = 10_000
	var all []tarball.File
	for i := range files {
		all = append(all, tarball.File{Name: fmt.Sprint(i), Body: "x"})
	}
	input := bytes.NewReader(tarball.Of(all...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, NewRewriter(io.Discard, treePrefix, nil).Copy(input))
	runtime.ReadMemStats(&after)
	require.Less(t, (after.TotalAlloc-before.TotalAlloc)/files, uint64(16<<10), "bytes allocated for each file")
}

// FuzzRewriter: whatever goes in, either it is refused or what comes out is
// safe, and complete.
func FuzzRewriter(f *testing.F) {
	f.Add(tarball.Of(tarball.File{Name: "./"}, tarball.File{Name: "a/b", Body: "text"}, tarball.File{Name: "l", Kind: tar.TypeSymlink, Link: "a"}))
	f.Add(tarball.Of(tarball.File{Name: "a", Body: "x"}, tarball.File{Name: "h", Kind: tar.TypeLink, Link: "a"}, tarball.File{Name: "a/"}))
	f.Add(tarball.Of(tarball.File{Name: strings.Repeat("long/", 60) + "x"}, tarball.File{Name: "\xff\n"}))
	f.Fuzz(func(t *testing.T, input []byte) {
		archive, err := rewrite(bytes.NewReader(input))
		if err == nil {
			requireSafe(t, archive)
			requireTrailer(t, archive)
		}
	})
}

func requireTrailer(t testing.TB, archive []byte) {
	t.Helper()
	require.GreaterOrEqual(t, len(archive), Trailer)
	require.Empty(t, bytes.Trim(archive[len(archive)-Trailer:], "\x00"))
}
