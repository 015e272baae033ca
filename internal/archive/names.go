package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"path"
	"strings"
)

// localName returns an entry's name clean and without trailing slash; "" is the
// tree's root.
func localName(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("the name is empty")
	case path.IsAbs(name):
		return "", errors.New("the name is absolute; names must be relative to InputDir")
	case len(name) > MaxPath:
		return "", fmt.Errorf("the name is longer than %d bytes", MaxPath)
	case strings.ContainsRune(name, 0):
		return "", errors.New("the name contains a NUL byte")
	}
	clean := path.Clean(name)
	if depth := strings.Count(clean, "/") + 1; depth > MaxDepth {
		return "", fmt.Errorf("the name has %d components, which is more than %d", depth, MaxDepth)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`the name contains ".."`)
		}
		if len(part) > MaxName {
			return "", fmt.Errorf("a component of the name is longer than %d bytes", MaxName)
		}
	}
	if clean == "." {
		return "", nil
	}
	return clean, nil
}

// entryKind maps the types of regular files to one and refuses what is neither
// a file, a directory nor a link.
func entryKind(h *tar.Header) (byte, error) {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont:
		return tar.TypeReg, nil
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
		return h.Typeflag, nil
	case tar.TypeChar, tar.TypeBlock:
		return 0, errors.New("devices are refused")
	case tar.TypeFifo:
		return 0, errors.New("fifos are refused")
	}
	return 0, fmt.Errorf("entries of type %q are refused", h.Typeflag)
}

func fileMode(h *tar.Header) int64 { return h.Mode&0o777 | 0o600 }

// regular is the type of what an entry leaves behind: a hard link is one more
// name of a regular file.
func regular(kind byte) byte {
	if kind == tar.TypeLink {
		return tar.TypeReg
	}
	return kind
}
