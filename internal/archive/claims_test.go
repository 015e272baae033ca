package archive

import (
	"archive/tar"
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/tarball"
	"github.com/synchestra-io/sandbox/internal/validate"
)

// treeDir is where the tree will be for the job.
const treeDir = "/work"

func link(name, target string) tarball.File {
	return tarball.File{Name: name, Kind: tar.TypeSymlink, Link: target}
}

func hardLink(name, target string) tarball.File {
	return tarball.File{Name: name, Kind: tar.TypeLink, Link: target}
}

// claimed is a table for the tests below.
func claimed() (t claims.Table) {
	t.Directory("/work/grader", "Mounts[0].Target")
	t.Directory("/work/a/b/c", "WorkDir")
	t.File("/work/etc/hosts", "the engine's own file")
	t.Directory("/work", "the writable directory")
	t.Directory("/tmp", "the writable directory")
	t.Directory("/workshop", "the writable directory")
	return t
}

// Whatever way a link or a file takes to a claimed path, it is refused, and the error
// names the entry, the path and who claims it.
func TestRewriterRefusesOnClaimedPaths(t *testing.T) {
	for name, c := range map[string]struct {
		files []tarball.File
		want  string
	}{
		"link":                   {[]tarball.File{link("grader", "/tmp/x")}, `entry "grader": is a symbolic link, but Mounts[0].Target "/work/grader" is there; make it a directory, or leave it out of the archive`},
		"link with a dot":        {[]tarball.File{link("./grader", "x")}, `entry "./grader": is a symbolic link, but Mounts[0].Target "/work/grader" is there`},
		"link with slashes":      {[]tarball.File{link(".//grader//", "x")}, `entry ".//grader//": is a symbolic link`},
		"link that is above":     {[]tarball.File{link("a", "/tmp")}, `entry "a": is a symbolic link, but WorkDir "/work/a/b/c" is below it; make it a directory, or leave it out of the archive`},
		"link that is between":   {[]tarball.File{{Name: "a/"}, link("a/b", "/tmp")}, `entry "a/b": is a symbolic link, but WorkDir "/work/a/b/c" is below it`},
		"link, then directory":   {[]tarball.File{link("grader", "x"), {Name: "grader/"}}, `entry "grader": is a symbolic link`},
		"directory, then link":   {[]tarball.File{{Name: "grader/"}, link("grader", "x")}, `entry "grader": is a symbolic link`},
		"implied, then link":     {[]tarball.File{{Name: "grader/x"}, link("grader", "x")}, `entry "grader": is a symbolic link`},
		"file":                   {[]tarball.File{{Name: "grader"}}, `entry "grader": is a regular file, but Mounts[0].Target "/work/grader" is there`},
		"file that is above":     {[]tarball.File{{Name: "a/b"}}, `entry "a/b": is a regular file, but WorkDir "/work/a/b/c" is below it`},
		"hard link":              {[]tarball.File{{Name: "x"}, hardLink("grader", "x")}, `entry "grader": is a hard link, but Mounts[0].Target "/work/grader" is there`},
		"hard link to a link":    {[]tarball.File{link("x", "/tmp"), hardLink("grader", "x")}, `entry "grader": is a hard link`},
		"link for a file":        {[]tarball.File{link("etc/hosts", "/tmp/x")}, `entry "etc/hosts": is a symbolic link, but the engine's own file "/work/etc/hosts" is there; make it a regular file, or leave it out of the archive`},
		"link above a file":      {[]tarball.File{link("etc", "/tmp")}, `the engine's own file "/work/etc/hosts" is below it; make it a directory, or leave it out of the archive`},
		"directory for a file":   {[]tarball.File{{Name: "etc/hosts/"}}, `entry "etc/hosts": is a directory, but the engine's own file`},
		"implied for a file":     {[]tarball.File{{Name: "etc/hosts/x"}}, `entry "etc/hosts/x": its parent "etc/hosts" is a directory, but the engine's own file`},
		"directory, then a link": {[]tarball.File{{Name: "a/b/c/d"}, link("./a/b/", "/tmp")}, `entry "./a/b/": is a symbolic link, but WorkDir "/work/a/b/c" is below it`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rewriteClaimed(bytes.NewReader(tarball.Of(c.files...)), claimed())
			require.ErrorContains(t, err, strings.Replace(c.want, `entry "etc/hosts": is a dir`, `entry "etc/hosts/": is a dir`, 1))
		})
	}
}

// Directories may be on and above claimed paths, and anything beside and below them.
func TestRewriterAcceptsBesideClaimedPaths(t *testing.T) {
	archive, err := rewriteClaimed(bytes.NewReader(tarball.Of(
		tarball.File{Name: "grader/"}, link("grader/link", "/tmp/x"), link("grader2", "/tmp"), link("tmp", "/tmp"), link("workshop", "/"),
		tarball.File{Name: "a/b/c/file"}, link("a/link", "b"), tarball.File{Name: "a/b/"}, tarball.File{Name: "etc/hosts"}, hardLink("etc/hosts", "a/b/c/file"),
	)), claimed())
	require.NoError(t, err)
	requireSafe(t, archive)
}

// FuzzClaims: whatever the archive and whatever the claims, nothing but a directory is
// on or above a claimed path, and nothing but a regular file where the engine mounts one.
func FuzzClaims(f *testing.F) {
	f.Add(tarball.Of(link("grader", "/tmp/x"), tarball.File{Name: "a/"}), "work/grader", "work/b")
	f.Add(tarball.Of(tarball.File{Name: "a/b/c/"}, link("./a//b", "/")), "work/a/b/c\nwork/a", "etc/hosts")
	f.Add(tarball.Of(tarball.File{Name: "etc/hosts", Body: "x"}, hardLink("h", "etc/hosts"), link("l", "h")), "work\ntmp\nwork/h/x", "work/etc/hosts")
	f.Fuzz(func(t *testing.T, input []byte, directories, files string) {
		var table claims.Table
		for line := range strings.Lines(directories) {
			table.Directory(path.Join("/", strings.TrimSpace(line)), "a directory's owner")
		}
		for line := range strings.Lines(files) {
			table.File(path.Join("/", strings.TrimSpace(line)), "a file's owner")
		}
		archive, err := rewriteClaimed(bytes.NewReader(input), table)
		if err != nil {
			return
		}
		for name, h := range requireSafe(t, archive) {
			at := path.Join(treeDir, strings.TrimPrefix(name, treePrefix))
			for _, c := range table {
				switch {
				case at == treeDir || !validate.Within(c.Path, at):
				case c.Path != at || !c.File:
					require.EqualValues(t, tar.TypeDir, h.Typeflag, "%q, although %q is claimed", at, c.Path)
				default:
					require.NotEqualValues(t, tar.TypeSymlink, h.Typeflag, "%q, although %q is claimed", at, c.Path)
				}
			}
		}
	})
}
