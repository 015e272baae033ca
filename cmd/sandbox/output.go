package main

import (
	"archive/tar"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// output is where collected files go: below a directory, whatever their names are.
type output struct {
	dir     string
	force   bool
	withGit bool
	pipe    *io.PipeWriter // nil = nothing is collected
	ended   chan error
	files   []file            // what was written; valid after close, as the next
	refused []string          // what was not
	names   map[string]string // those that were written, by how they are on a disk that ignores case
	links   map[string]bool   // directories: whether they are links
}

// file is one that was written.
type file struct {
	Path string `json:"path"` // relative to --input-dir, and to --output
	Size int64  `json:"size"`
}

// openOutput fails if a file is there already that is named to be collected: that is known before
// the run.
func (f *runFlags) openOutput() (*output, error) {
	o := &output{dir: f.output, force: f.force, withGit: f.withGit, names: map[string]string{}, links: map[string]bool{}}
	if len(f.collect) == 0 {
		return o, nil
	}
	for _, p := range f.collect {
		name := strings.TrimPrefix(p, strings.TrimSuffix(f.inputDir, "/")+"/")
		if info, err := os.Lstat(filepath.Join(f.output, filepath.FromSlash(name))); err == nil && !info.IsDir() && !f.force && !path.IsAbs(name) {
			return nil, exists(o.dir, name)
		}
	}
	reader, writer := io.Pipe()
	o.pipe, o.ended = writer, make(chan error, 1)
	go func() { // close waits for it
		err := o.unpack(reader)
		reader.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
		o.ended <- err
	}()
	return o, nil
}

func exists(dir, name string) error {
	return fmt.Errorf("%s exists; use --force to overwrite it, or another --output", filepath.Join(dir, name))
}

// writer is for Job.OutputTar.
func (o *output) writer() io.Writer {
	if o.pipe == nil {
		return nil
	}
	return o.pipe
}

// close waits until all is written. ran is the run's error, of which a failed write is a part.
func (o *output) close(ran error) error {
	if o.pipe == nil {
		return ran
	}
	o.pipe.CloseWithError(errCut)
	if err := <-o.ended; ran == nil && !errors.Is(err, errCut) {
		return err
	}
	return ran
}

// errCut is what comes behind an archive, or in the middle of one that broke off.
var errCut = errors.New("it ends here")

// unpack writes the archive's files. One that breaks off leaves no part of a file.
func (o *output) unpack(from io.Reader) error {
	var root *os.Root
	in := tar.NewReader(from)
	for {
		h, err := in.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, from)
			return err
		}
		if err != nil {
			return err
		}
		if ofGit(h.Name) && !o.withGit {
			o.refused = append(o.refused, h.Name)
			continue
		}
		if root == nil { // not for a run that brings nothing
			if err := os.MkdirAll(o.dir, 0o777); err != nil {
				return err
			}
			if root, err = os.OpenRoot(o.dir); err != nil {
				return err
			}
			defer root.Close()
		}
		if err := o.write(root, h, in); err != nil {
			return err
		}
		o.files = append(o.files, file{h.Name, h.Size})
	}
}

// write writes one file. What it replaces is there until it is complete.
func (o *output) write(root *os.Root, h *tar.Header, body io.Reader) error {
	name := filepath.FromSlash(h.Name)
	info, err := root.Lstat(name)
	there := err == nil
	fold := strings.ToLower(h.Name)
	switch before := o.names[fold]; {
	case belowLink(root, path.Dir(h.Name), o.links): // to .git, say
		return fmt.Errorf("%s is below a link, through which nothing is written; use another --output", filepath.Join(o.dir, name))
	case there && info.IsDir():
		return fmt.Errorf("%s is a directory, and the file of that name cannot be written", filepath.Join(o.dir, name))
	case there && before != "" && same(root, before, info):
		return fmt.Errorf("%s and %s are one file on this disk", before, h.Name)
	case there && !o.force:
		return exists(o.dir, name)
	}
	o.names[fold] = h.Name
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	part := filepath.Join(filepath.Dir(name), ".sandbox-"+rand.Text())
	to, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, body)
	if err = errors.Join(err, to.Close()); err == nil {
		err = errors.Join(root.Chtimes(part, h.ModTime, h.ModTime), root.Rename(part, name))
	}
	if err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return nil
}

// same tells whether a name is that of a file.
func same(root *os.Root, name string, file fs.FileInfo) bool {
	info, err := root.Lstat(filepath.FromSlash(name))
	return err == nil && os.SameFile(info, file)
}

// ofGit tells whether a file would be in a directory .git, where it could name programs that git
// runs on this machine. Some file systems ignore case, what is not visible, and dots and spaces at
// the end.
func ofGit(name string) bool {
	for part := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		part = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) {
				return -1
			}
			return unicode.ToLower(r)
		}, part)
		part, _, _ = strings.Cut(part, ":") // a stream of a file
		part = strings.TrimRight(part, ". ")
		if part == ".git" || strings.HasPrefix(part, "git~") {
			return true
		}
	}
	return false
}
