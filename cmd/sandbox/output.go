package main

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// output is where collected files go: below a directory, whatever their names are.
type output struct {
	dir   string
	force bool
	pipe  *io.PipeWriter // nil = nothing is collected
	ended chan error
	files []file // what was written; valid after close
}

// file is one that was written.
type file struct {
	Path string `json:"path"` // relative to --input-dir, and to --output
	Size int64  `json:"size"`
}

func (f *runFlags) openOutput() *output {
	o := &output{dir: f.output, force: f.force}
	if len(f.collect) == 0 {
		return o
	}
	reader, writer := io.Pipe()
	o.pipe, o.ended = writer, make(chan error, 1)
	go func() { // close waits for it
		err := o.unpack(reader)
		reader.CloseWithError(cmp.Or(err, io.ErrClosedPipe))
		o.ended <- err
	}()
	return o
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

func (o *output) write(root *os.Root, h *tar.Header, body io.Reader) (err error) {
	name := filepath.FromSlash(h.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	if o.force { // what is there may be a link, or somebody else's
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	to, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode).Perm())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists; use --force to overwrite it, or another --output", filepath.Join(o.dir, name))
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(to, body)
	if err = errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return root.Chtimes(name, h.ModTime, h.ModTime)
}
