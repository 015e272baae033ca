package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"strconv"
	"testing"

	"github.com/synchestra-io/sandbox/internal/claims"
)

// BenchmarkRewriter copies a tree of 64 MiB in one file, and in files of 1 KiB.
func BenchmarkRewriter(b *testing.B) {
	const size = 64 << 20
	for name, each := range map[string]int{"one file": size, "files of 1 KiB": 1 << 10} {
		var input bytes.Buffer
		w := tar.NewWriter(&input)
		for i := range size / each {
			w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "dir" + strconv.Itoa(i%16) + "/file" + strconv.Itoa(i), Mode: 0o644, Size: int64(each)})
			w.Write(make([]byte, each))
		}
		w.Close()
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				tree := NewRewriter(io.Discard, "tree/0", claims.Names{})
				if err := tree.Root("tree/0"); err != nil {
					b.Fatal(err)
				}
				if err := tree.Copy(bytes.NewReader(input.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
