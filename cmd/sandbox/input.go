package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// input is what is copied in: an archive that exists, or one that is made while it is read.
type input struct {
	from  io.Reader // nil = nothing
	close func()
}

// tar is for Job.InputTar.
func (i input) tar() io.Reader { return i.from }

// Close lets go of it; nobody reads it any more.
func (i input) Close() { i.close() }

// openInput opens what --input names.
func (f *runFlags) openInput(s streams) (input, error) {
	nothing := func() {}
	switch {
	case f.noInput:
		return input{nil, nothing}, nil
	case f.input == "-":
		return input{s.in, nothing}, nil
	}
	info, err := os.Stat(f.input)
	if err != nil {
		return input{}, fmt.Errorf("--input: %w", err)
	}
	if !info.IsDir() {
		file, err := os.Open(f.input)
		if err != nil {
			return input{}, fmt.Errorf("--input: %w", err)
		}
		return input{file, func() { file.Close() }}, nil
	}
	list := f.walk
	if f.git {
		list = gitFiles
	}
	root, err := os.OpenRoot(f.input)
	if err != nil {
		return input{}, fmt.Errorf("--input: %w", err)
	}
	reader, writer := io.Pipe()
	ended := make(chan struct{})
	go func() { // ends with the reader
		defer close(ended)
		writer.CloseWithError(archive(writer, root, func(add func(string) error) error { return list(f.input, add) }, s))
	}()
	return input{reader, func() { reader.Close(); <-ended; root.Close() }}, nil
}

// walk lists all below a directory, but for .git.
func (f *runFlags) walk(dir string, add func(name string) error) error {
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".git" && !f.withGit {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(dir, at)
		if err != nil || name == "." {
			return err
		}
		return add(filepath.ToSlash(name))
	})
}

// gitFiles lists what git tracks in a directory, and what it would: all but what .gitignore names.
func gitFiles(dir string, add func(name string) error) error {
	list := exec.Command("git", "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	var said bytes.Buffer
	list.Stderr = &said
	names, err := list.Output()
	if err != nil {
		return fmt.Errorf("--git: git ls-files: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		if err := add(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is deleted, and still tracked
			return err
		}
	}
	return nil
}

// archive writes what list lists as a tar. Links stay links; sockets, fifos and devices are left
// out, and named.
func archive(w io.Writer, root *os.Root, list func(add func(string) error) error, s streams) error {
	out := tar.NewWriter(w)
	err := list(func(name string) error {
		info, err := root.Lstat(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			return out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()})
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := root.Readlink(filepath.FromSlash(name))
			if err != nil {
				return err
			}
			return out.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: filepath.ToSlash(target), ModTime: info.ModTime()})
		case info.Mode().IsRegular():
			return addFile(out, root, name)
		}
		s.say("not copied in: %s is no file (%v)", path.Join(root.Name(), name), info.Mode().Type())
		return nil
	})
	return errors.Join(err, closeIf(out, err == nil))
}

// closeIf writes an archive's end if all of it is there.
func closeIf(out *tar.Writer, whole bool) error {
	if !whole {
		return nil
	}
	return out.Close()
}

func addFile(out *tar.Writer, root *os.Root, name string) error {
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	if n, err := io.Copy(out, io.LimitReader(file, info.Size())); err != nil || n < info.Size() {
		return fmt.Errorf("%s: it has become shorter while it was read: %w", name, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil
}
