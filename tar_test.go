package sandbox

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file is an entry of a test's tar. A name that ends in "/" is a directory.
type file struct {
	name string
	body string
	mode int64 // 0 = 0644, directories 0755
	link string
	kind byte // 0 = regular file or directory
	pax  map[string]string
}

func (f file) header() *tar.Header {
	if f.kind == tar.TypeXGlobalHeader {
		return &tar.Header{Typeflag: f.kind, PAXRecords: f.pax} // it may have nothing else
	}
	h := &tar.Header{
		Typeflag: f.kind, Name: f.name, Mode: f.mode, Size: int64(len(f.body)), Linkname: f.link,
		PAXRecords: f.pax, Uid: 1000, Gid: 1000,
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
		if strings.HasSuffix(f.name, "/") {
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

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		require.NoError(t, w.WriteHeader(f.header()))
		_, err := io.WriteString(w, f.body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}
