// Package tartest makes tar archives for tests.
package tartest

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// File is an entry of a test's tar. A name that ends in "/" is a directory.
type File struct {
	Name string
	Body string
	Mode int64 // 0 = 0644, directories 0755
	Link string
	Kind byte // 0 = regular file or directory
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

// Of returns a tar with these entries.
func Of(t testing.TB, files ...File) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		require.NoError(t, w.WriteHeader(f.header()))
		_, err := io.WriteString(w, f.Body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}
