//go:build linux && (amd64 || arm64)

package probe

import (
	"os"
	"path/filepath"
	"strconv"
)

// deep creates nested directories, with a file in each. It changes into each directory,
// so the whole path can be longer than PATH_MAX.
func deep(dir, depth, name string) error {
	n, err := strconv.Atoi(depth)
	if err == nil {
		err = os.Chdir(dir)
	}
	for range n {
		if err == nil {
			err = os.WriteFile("file", []byte("deep"), 0o644)
		}
		if err == nil {
			err = os.Mkdir(name, 0o755)
		}
		if err == nil {
			err = os.Chdir(name)
		}
	}
	return err
}

// many creates a directory with n entries of one kind.
func many(kind, dir, n string) error {
	count, err := strconv.Atoi(n)
	if err == nil {
		err = os.Mkdir(dir, 0o755)
	}
	for i := range count {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, strconv.Itoa(i))
		switch {
		case kind == "directories":
			err = os.Mkdir(path, 0o755)
		case kind == "symlinks":
			err = os.Symlink("0", path)
		case kind == "hardlinks" && i > 0:
			err = os.Link(filepath.Join(dir, "0"), path)
		default:
			err = os.WriteFile(path, nil, 0o644)
		}
	}
	return err
}
