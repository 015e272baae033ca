package sandbox

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/isolation"
)

const treePrefix = "run/work"

// rewrite sends a tar through a treeWriter, as staging does.
func rewrite(input io.Reader) ([]byte, error) {
	var out bytes.Buffer
	tree := newTreeWriter(&out, treePrefix)
	if err := tree.root(treePrefix); err != nil {
		return nil, err
	}
	if err := tree.write(input); err != nil {
		return nil, err
	}
	err := tree.out.Close()
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
		require.True(t, within("/"+name, "/"+treePrefix), "%q is outside", name)
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

func TestTreeWriterRewrites(t *testing.T) {
	archive, err := rewrite(iotest.OneByteReader(bytes.NewReader(tarOf(t,
		file{name: "./", mode: 0o500},
		file{name: "./deep/below/file", body: "text", mode: 0o444},
		file{name: "setuid", mode: 0o6755},
		file{name: "sticky/", mode: 0o1555},
		file{name: "attr", pax: map[string]string{"SCHILY.xattr.security.capability": "x"}},
		file{name: "hard", kind: tar.TypeLink, link: "./setuid"},
		file{name: "soft", kind: tar.TypeSymlink, link: "../../../etc/passwd"},
		file{name: "twice", body: "old"}, file{name: "twice", body: "new"},
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
func TestTreeWriterRefuses(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		files []file
		want  string
	}{
		"absolute":             {[]file{{name: "/etc/passwd"}}, `entry "/etc/passwd": the name is absolute`},
		"dot dot":              {[]file{{name: "../x"}}, `entry "../x": the name holds ".."`},
		"dot dot inside":       {[]file{{name: "a/../b"}}, `the name holds ".."`},
		"long part":            {[]file{{name: "a/" + long}}, "longer than 255 bytes"},
		"long name":            {[]file{{name: strings.Repeat("a/", 1600)}}, "longer than 3072 bytes"},
		"device":               {[]file{{name: "sda", kind: tar.TypeBlock}}, "devices are refused"},
		"character device":     {[]file{{name: "null", kind: tar.TypeChar}}, "devices are refused"},
		"fifo":                 {[]file{{name: "pipe", kind: tar.TypeFifo}}, "fifos are refused"},
		"unknown type":         {[]file{{name: "x", kind: 'Z'}}, `entries of type 'Z' are refused`},
		"root is a file":       {[]file{{name: "."}}, "root is not a directory"},
		"below a link":         {[]file{{name: "l", kind: tar.TypeSymlink, link: "/etc"}, {name: "l/x"}}, `entry "l/x": it lies below the symbolic link "l"`},
		"deep below a link":    {[]file{{name: "d/l", kind: tar.TypeSymlink, link: "/"}, {name: "d/l/etc/x"}}, `below the symbolic link "d/l"`},
		"link, then directory": {[]file{{name: "l", kind: tar.TypeSymlink, link: "/etc"}, {name: "l/"}}, "twice, with different types"},
		"directory, then link": {[]file{{name: "d/"}, {name: "d", kind: tar.TypeSymlink, link: "/etc"}}, "twice, with different types"},
		"implied, then link":   {[]file{{name: "d/x"}, {name: "d", kind: tar.TypeSymlink, link: "/etc"}}, "twice, with different types"},
		"below a file":         {[]file{{name: "f"}, {name: "f/x"}}, `below "f", which is not a directory`},
		"link to nothing":      {[]file{{name: "l", kind: tar.TypeSymlink}}, "target of 0 bytes"},
		"hard link outside":    {[]file{{name: "h", kind: tar.TypeLink, link: "../../etc/passwd"}}, `hard link to "../../etc/passwd"`},
		"hard link absolute":   {[]file{{name: "h", kind: tar.TypeLink, link: "/etc/passwd"}}, `hard link to "/etc/passwd"`},
		"hard link ahead":      {[]file{{name: "h", kind: tar.TypeLink, link: "f"}, {name: "f"}}, "no regular file earlier"},
		"hard link to a link":  {[]file{{name: "l", kind: tar.TypeSymlink, link: "/etc/passwd"}, {name: "h", kind: tar.TypeLink, link: "l"}}, "no regular file earlier"},
		"hard link via a link": {[]file{{name: "l", kind: tar.TypeSymlink, link: "/etc"}, {name: "h", kind: tar.TypeLink, link: "l/passwd"}}, "no regular file earlier"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rewrite(bytes.NewReader(tarOf(t, c.files...)))
			require.ErrorContains(t, err, "InputTar: ")
			require.ErrorContains(t, err, c.want)
		})
	}
}

// GNU tar stores a file that it is given twice as a hard link to itself.
func TestTreeWriterSkipsLinksToThemselves(t *testing.T) {
	archive, err := rewrite(bytes.NewReader(tarOf(t, file{name: "a", body: "x"}, file{name: "./a", kind: tar.TypeLink, link: "a"})))
	require.NoError(t, err)
	require.EqualValues(t, tar.TypeReg, requireSafe(t, archive)[treePrefix+"/a"].Typeflag)
}

func TestTreeWriterSkipsGlobalHeaders(t *testing.T) {
	archive, err := rewrite(bytes.NewReader(tarOf(t,
		file{kind: tar.TypeXGlobalHeader, pax: map[string]string{"comment": "a commit"}}, file{name: "a"})))
	require.NoError(t, err)
	require.Len(t, requireSafe(t, archive), 2)
}

func TestTreeWriterReturnsTheReadersError(t *testing.T) {
	broken := errors.New("the disk is on fire")
	whole := tarOf(t, file{name: "a", body: strings.Repeat("x", 5000)})
	for _, at := range []int{0, 100, 512, 3000} {
		_, err := rewrite(io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken, "at byte %d", at)
	}
}

// FuzzTreeWriter: whatever goes in, either it is refused or what comes out is
// safe, and complete.
func FuzzTreeWriter(f *testing.F) {
	f.Add(tarOf(f, file{name: "./"}, file{name: "a/b", body: "text"}, file{name: "l", kind: tar.TypeSymlink, link: "a"}))
	f.Add(tarOf(f, file{name: "a", body: "x"}, file{name: "h", kind: tar.TypeLink, link: "a"}, file{name: "a/"}))
	f.Add(tarOf(f, file{name: strings.Repeat("long/", 60) + "x"}, file{name: "\xff\n"}))
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
	require.GreaterOrEqual(t, len(archive), tarTrailer)
	require.Empty(t, bytes.Trim(archive[len(archive)-tarTrailer:], "\x00"))
}
