// Package claims has the table of who claims which path of a run. The input may put
// nothing but directories on or above a claimed path: a link there would decide where
// a mount, a volume or the working directory is, since the engine and its runtime
// follow it, as root, before the command starts.
package claims

import (
	"archive/tar"
	"fmt"
	"path"
	"strings"
)

// Table has all claims of a run. If two are about the same path, the first counts.
type Table []Claim

// Claim is a path that is not the input's to give.
type Claim struct {
	Path string // clean and absolute
	By   string // who claims it, such as "Mounts[0].Target"
	File bool   // the engine mounts a file there; otherwise it is a directory
}

// Directory claims path for by.
func (t *Table) Directory(path, by string) { *t = append(*t, Claim{Path: path, By: by}) }

// File claims path for by, which puts a file there.
func (t *Table) File(path, by string) { *t = append(*t, Claim{Path: path, By: by, File: true}) }

// Names are the claims as an archive sees them that is unpacked in one directory: by
// the clean names on and above the claimed paths.
type Names map[string]name

// name is what is known about one name.
type name struct {
	Claim
	above bool // the claimed path is below the name
}

// Below returns the claims on paths below dir. The others have nothing to do with what
// is unpacked there, since no entry can lead out of dir.
func (t Table) Below(dir string) Names {
	names := Names{}
	for _, c := range t {
		at, below := strings.CutPrefix(c.Path, strings.TrimSuffix(dir, "/")+"/")
		for above := false; below && at != "."; above, at = true, path.Dir(at) {
			// A directory is needed above a path, whatever else is claimed there.
			if known, ok := names[at]; !ok || above && known.File && !known.above {
				names[at] = name{c, above}
			}
		}
	}
	return names
}

// Check returns an error if an entry of the type kind, a constant of package tar, must
// not have the name, which is clean and relative.
func (n Names) Check(name string, kind byte) error {
	claim, claimed := n[name]
	if !claimed || claim.accepts(kind) {
		return nil
	}
	where, want := "there", "a directory"
	switch {
	case claim.above:
		where = "below it"
	case claim.File:
		want = "a regular file"
	}
	return fmt.Errorf("is %s, but %s %q is %s; make it %s", describe(kind), claim.By, claim.Path, where, want)
}

// accepts tells whether an entry of the type may have the name. A hard link is one more
// name of a regular file.
func (n name) accepts(kind byte) bool {
	if n.File && !n.above {
		return kind == tar.TypeReg || kind == tar.TypeLink
	}
	return kind == tar.TypeDir
}

func describe(kind byte) string {
	switch kind {
	case tar.TypeDir:
		return "a directory"
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeReg:
		return "a regular file"
	}
	return "a special file"
}
