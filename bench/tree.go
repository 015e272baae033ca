package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
)

// tree is a tar of equal files that is made while it is read.
func tree(files int, size int64) io.Reader {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTree(w, files, size)) }()
	return r
}

func writeTree(w io.Writer, files int, size int64) error {
	out := tar.NewWriter(w)
	for i := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("dir%d/file%d", i%16, i), Mode: 0o644, Size: size}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		for left := size; left > 0; {
			n, err := out.Write(block[:min(left, int64(len(block)))])
			if err != nil {
				return err
			}
			left -= int64(n)
		}
	}
	return out.Close()
}

var block = bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
