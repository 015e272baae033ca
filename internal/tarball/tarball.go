// Package tarball makes tar archives of files that are written out in the source.
package tarball

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// File is an entry of an archive. A name that ends in "/" is a directory.
type File struct {
	Name string
	Body string
	Mode int64 // 0 = 0644, directories 0755
	Link string
	Kind byte // a tar.Type constant; 0 = regular file or directory
	PAX  map[string]string
}

func (f File) header() *tar.Header {
	if f.Kind == tar.TypeXGlobalHeader {
		return &tar.Header{Typeflag: f.Kind, PAXRecords: f.PAX} // it may have nothing else
	}
	h := &tar.Header{
		Typeflag: f.Kind, Name: f.Name, Mode: f.Mode, Size: int64(len(f.Body)), Linkname: f.Link,
		PAXRecords: f.PAX, Uid: 1000, Gid: 1000,
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
		if strings.HasSuffix(f.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	return h
}

// Of returns an archive of files, in their order, all owned by user and group
// 1000. It panics if an entry cannot be written, such as a device with a body.
func Of(files ...File) []byte {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range files {
		if err := w.WriteHeader(f.header()); err != nil {
			panic(fmt.Sprintf("tarball: %q: %v", f.Name, err))
		}
		if _, err := io.WriteString(w, f.Body); err != nil {
			panic(fmt.Sprintf("tarball: %q: %v", f.Name, err))
		}
	}
	if err := w.Close(); err != nil {
		panic(fmt.Sprintf("tarball: %v", err))
	}
	return archive.Bytes()
}
