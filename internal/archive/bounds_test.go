package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// What an input costs the caller stays below 128 MiB, whatever the input is. Half of it
// is for the names, and half for everything else, garbage included.
const halfOfTheHeap = 64 << 20

// heapNow is the size of the heap, with its garbage.
func heapNow() uint64 {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}

// As many names as an archive may have fit into their half.
func TestHeapOfTheNames(t *testing.T) {
	runtime.GC()
	before := heapNow()
	all := kinds{}
	for i := range MaxEntries {
		all.set(fmt.Sprint(i), tar.TypeReg)
	}
	require.Less(t, heapNow()-before, uint64(halfOfTheHeap))
	require.Len(t, all, MaxEntries)
}

// rewriteStream rewrites an archive that would not fit into the memory that is measured,
// and returns the largest size of the heap.
func rewriteStream(t *testing.T, entry func(i int) *tar.Header) (heap uint64, err error) {
	t.Helper()
	in, out := io.Pipe()
	made := make(chan struct{})
	go func() {
		defer close(made)
		w, err := tar.NewWriter(out), error(nil)
		for i, h := 0, entry(0); h != nil && err == nil; i++ {
			err = w.WriteHeader(h)
			h = entry(i + 1)
		}
		if err == nil {
			err = w.Close()
		}
		out.CloseWithError(err)
	}()
	runtime.GC()
	before, unmeasured := heapNow(), 0
	tree := NewRewriter(io.Discard, treePrefix, nil)
	tree.left = budget{MaxEntries / 4, MaxDirectories / 4, MaxNameBytes / 4} // to take less time
	err = tree.Copy(readerFunc(func(p []byte) (int, error) {
		n, err := in.Read(p)
		if unmeasured += n; unmeasured > 1<<20 {
			unmeasured, heap = 0, max(heap, heapNow())
		}
		return n, err
	}))
	in.Close()
	<-made
	return heap - min(heap, before), err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func file(format string, args ...any) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf(format, args...), Mode: 0o644}
}

// Nothing of an entry but the digest of its name stays in memory. Names that are long
// or many are refused before the engine has had much to do.
func TestHeapOfTheWorstInputs(t *testing.T) {
	deep := strings.Repeat("d/", MaxDepth-2)
	long := strings.Repeat(strings.Repeat("n", 250)+"/", 11)
	megabyte := strings.Repeat("x", 1<<20-1000)
	for name, c := range map[string]struct {
		entries int
		entry   func(i int) *tar.Header
		want    string // "" if it is accepted
	}{
		"implied directories": {4000, func(i int) *tar.Header { return file("%d/%sf", i, deep) }, "the archive has more than 60000 directories"},
		"long names":          {131_072, func(i int) *tar.Header { return file("%s%d", long, i) }, "the names in the archive have more than 33554432 bytes"},
		"long links": {131_072, func(i int) *tar.Header {
			return &tar.Header{Typeflag: tar.TypeSymlink, Name: fmt.Sprint(i), Linkname: long}
		}, "the names in the archive have more than 33554432 bytes"},
		"names in PAX records of a megabyte": {150, func(i int) *tar.Header {
			h := file("%s%d", strings.Repeat("n", 120), i)
			h.PAXRecords = map[string]string{"GOLANG.pad": megabyte}
			return h
		}, ""},
		"many PAX records": {3, func(i int) *tar.Header {
			h := file("%d", i)
			h.PAXRecords = map[string]string{}
			for k := range 60_000 {
				h.PAXRecords[fmt.Sprintf("G.%x", k)] = "x"
			}
			return h
		}, ""},
		"a name of a megabyte":  {1, func(int) *tar.Header { return file("%s", megabyte) }, "the name is longer than 3072 bytes"},
		"a link of a megabyte":  {1, func(int) *tar.Header { return &tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: megabyte} }, "the target of the symbolic link has 1047576 bytes"},
		"more components":       {1, func(int) *tar.Header { return file("%sd/d/f", deep) }, "the name has 129 components, which is more than 128"},
		"just enough of a path": {1, func(int) *tar.Header { return file("%sd/f", deep) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			heap, err := rewriteStream(t, func(i int) *tar.Header {
				if i == c.entries {
					return nil
				}
				return c.entry(i)
			})
			require.Less(t, heap, uint64(halfOfTheHeap))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 2000)
		})
	}
}

// A twentieth of what large real trees have takes less than a twentieth of each bound.
func TestBoundsOfRealTrees(t *testing.T) {
	for name, c := range map[string]struct {
		files int
		name  string // of a file, with a directory for every six files
	}{
		"a Linux kernel": {90_000, "drivers/net/ethernet/vendor/chip-%04d/source-%05d.c"},
		"node_modules":   {200_000, "node_modules/package-with-a-name/dist/esm/%05d-folder/module-of-the-package-%06d.js"},
	} {
		t.Run(name, func(t *testing.T) {
			var all []tarball.File
			for i := range c.files / 20 {
				all = append(all, tarball.File{Name: fmt.Sprintf(c.name, i/6, i)})
			}
			tree := NewRewriter(io.Discard, treePrefix, nil)
			tree.left = budget{MaxEntries / 20, MaxDirectories / 20, MaxNameBytes / 20}
			require.NoError(t, tree.Copy(bytes.NewReader(tarball.Of(all...))))
		})
	}
}

// All entries count that the archive has or implies, also those that leave nothing new.
func TestEveryEntryCounts(t *testing.T) {
	global := tarball.File{Kind: tar.TypeXGlobalHeader, PAX: map[string]string{"comment": "x"}}
	for name, c := range map[string]struct {
		files []tarball.File
		want  budget // what they take
	}{
		"global header":   {[]tarball.File{global, global}, budget{2, 0, 0}},
		"root":            {[]tarball.File{{Name: "./"}, {Name: "./"}}, budget{2, 0, 0}},
		"file twice":      {[]tarball.File{{Name: "abc"}, {Name: "abc"}}, budget{2, 0, 6}},
		"directory twice": {[]tarball.File{{Name: "abc/"}, {Name: "abc/"}}, budget{2, 1, 6}},
		"link to self":    {[]tarball.File{{Name: "abc"}, hardLink("abc", "abc")}, budget{2, 0, 3}},
		"implied":         {[]tarball.File{{Name: "a/b/c"}, {Name: "a/b/d"}}, budget{4, 2, 1 + 3 + 5 + 5}},
		"target":          {[]tarball.File{link("a", "12345")}, budget{1, 0, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			copyWith := func(left budget) error {
				tree := NewRewriter(io.Discard, treePrefix, nil)
				tree.left = left
				err := tree.Copy(bytes.NewReader(tarball.Of(c.files...)))
				if err == nil {
					require.Zero(t, tree.left)
				}
				return err
			}
			require.NoError(t, copyWith(c.want))
			require.ErrorContains(t, copyWith(budget{c.want.entries - 1, 9, 99}), "the archive has more than 300000 entries")
			if c.want.directories > 0 {
				require.ErrorContains(t, copyWith(budget{9, c.want.directories - 1, 99}), "the archive has more than 60000 directories")
			}
			if c.want.bytes > 0 {
				require.ErrorContains(t, copyWith(budget{9, 9, c.want.bytes - 1}), "the names in the archive have more than 33554432 bytes")
			}
		})
	}
}
