package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// input is what is copied in: an archive that exists, or one that is made while it is read.
type input struct {
	from io.Reader // nil = nothing
	end  func()
}

// tar is for Job.InputTar.
func (i input) tar() io.Reader { return i.from }

// Close lets go of it; nobody reads it any more.
func (i input) Close() { i.end() }

// openInput opens what --input names.
func (f *runFlags) openInput(ctx context.Context, s streams) (input, error) {
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
		file := &lateFile{name: f.input}
		return input{file, file.close}, nil
	}
	dir, err := filepath.EvalSymlinks(f.input)
	if err != nil {
		return input{}, fmt.Errorf("--input: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return input{}, fmt.Errorf("--input: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	list := func(add func(string) error) error { return f.walk(root, add) }
	if f.git {
		list = func(add func(string) error) error { return gitFiles(ctx, dir, root, add, s) }
	}
	reader, writer := io.Pipe()
	go func() { // ends with the reader, unless a file system hangs
		defer root.Close()
		writer.CloseWithError(writeArchive(writer, root, list, s))
	}()
	return input{reader, func() { cancel(); reader.Close() }}, nil
}

// lateFile is opened by who reads it: a fifo would wait for its writer.
type lateFile struct {
	name string
	file *os.File
	err  error
}

func (f *lateFile) Read(p []byte) (int, error) {
	if f.file == nil && f.err == nil {
		f.file, f.err = os.Open(f.name)
	}
	if f.err != nil {
		return 0, f.err
	}
	return f.file.Read(p)
}

func (f *lateFile) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// walk lists all in a directory, but for .git.
func (f *runFlags) walk(root *os.Root, add func(name string) error) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case d.Name() == ".git" && !f.withGit && d.IsDir():
			return fs.SkipDir
		case d.Name() == ".git" && !f.withGit:
			return nil
		}
		return add(name)
	})
}

// writeArchive writes what list lists as a tar. Links stay links; sockets, fifos and devices are left
// out, and named.
func writeArchive(w io.Writer, root *os.Root, list func(add func(string) error) error, s streams) error {
	out := tar.NewWriter(w)
	err := list(func(name string) error {
		info, err := root.Lstat(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime()}
		switch {
		case info.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
			return out.WriteHeader(h)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := root.Readlink(filepath.FromSlash(name))
			if err != nil {
				return err
			}
			h.Typeflag, h.Linkname = tar.TypeSymlink, filepath.ToSlash(target)
			return out.WriteHeader(h)
		case info.Mode().IsRegular():
			return addFile(out, root, name)
		}
		s.say("not copied in: %s is no file (%v)", path.Join(filepath.ToSlash(root.Name()), name), info.Mode().Type())
		return nil
	})
	if err != nil {
		return err // and no end of the archive
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

// gone tells whether an error says that nothing is there, also since a directory on the way is none
// any more.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }
