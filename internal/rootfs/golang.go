package rootfs

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GoEnv are the instructions that give an image made of [GoToolchain] the
// environment of the golang images.
var GoEnv = []string{
	"ENV GOTOOLCHAIN=local",
	"ENV GOPATH=/go",
	"ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"WORKDIR /go",
}

// goParts are what building and testing pure Go needs of a GOROOT.
var goParts = []string{"VERSION", "go.env", "bin", "pkg/include", "pkg/tool", "src"}

// GoToolchain writes a tar with the machine's own Go toolchain at
// /usr/local/go. The go command is static, so nothing else is needed. If cache is not "",
// the build cache in that directory comes with it; see [GoCacheEnv].
func GoToolchain(w io.Writer, cache string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	out := tar.NewWriter(w)
	// GOPATH, writable as in the golang images.
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "go/", Mode: 0o777}); err != nil {
		return err
	}
	for _, part := range goParts {
		if err := addTree(out, string(bytes.TrimSpace(root)), part); err != nil {
			return err
		}
	}
	if cache != "" {
		if err := addCache(out, cache); err != nil {
			return err
		}
	}
	return out.Close()
}

// addTree adds a part of GOROOT without the toolchain's own tests. Its commands'
// sources stay: the go command builds some of its tools when it needs them.
func addTree(out *tar.Writer, root, part string) error {
	// Distributions make links of some parts.
	dir, err := filepath.EvalSymlinks(filepath.Join(root, part))
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		inner := part + strings.TrimPrefix(path, dir)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return addFile(out, path, "usr/local/go/"+inner)
	})
}

func addFile(out *tar.Writer, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime(),
	}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}
