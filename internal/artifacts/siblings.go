package artifacts

import (
	"archive/tar"
	"context"
	"path"

	"github.com/synchestra-io/sandbox/internal/archive"
)

// What may come of a directory beside the files that are wanted. Older engines start a
// process for each request, so that some more bytes take less time than another request.
const (
	maxStrangers     = 1000
	maxStrangerBytes = 4 << 20
)

// siblings returns the first path and those right behind it that are in the same directory.
func siblings(paths []string) []string {
	n := 1
	for n < len(paths) && path.Dir(paths[n]) == path.Dir(paths[0]) {
		n++
	}
	return paths[:n]
}

// prefetch reads those of some files of one directory that come in one request. All others
// are asked for one by one, which tells what is wrong with them: those that are missing or no
// regular files, those that come after too much else, and every one if they do not fit into
// the budget or the request fails.
func (c *collector) prefetch(ctx context.Context, paths []string) {
	dir, wanted := path.Dir(paths[0]), map[string]bool{}
	for _, p := range paths {
		if _, have := c.files[p]; !have && c.askable(p) == nil {
			wanted[p] = true
		}
	}
	if len(wanted) < 2 || c.staged != nil || dir == "/" {
		return
	}
	if info, err := c.lookup(ctx, dir); err != nil || !info.Mode.IsDir() {
		return
	}
	body, err := c.download(ctx, dir)
	if err != nil {
		return
	}
	defer body.Close()
	c.ready = c.sift(dir, wanted, archive.NewReader(body))
}

// sift reads the engine's tar of a directory up to the last file that is wanted.
func (c *collector) sift(dir string, wanted map[string]bool, in *archive.Reader) map[string][]byte {
	found, left, strangers, skipped := map[string][]byte{}, c.left, 0, int64(0)
	c.front = path.Base(dir)
	for len(found) < len(wanted) {
		h, err := in.Next()
		if err != nil {
			return found // also at the end
		}
		p, err := c.below(dir, h.Name)
		if err != nil {
			return nil
		}
		if !wanted[p] || h.Typeflag != tar.TypeReg {
			strangers++
			if skipped += h.Size; strangers > maxStrangers || skipped > maxStrangerBytes {
				return found
			}
			continue
		}
		if left -= h.Size; left < 0 {
			return nil
		}
		if found[p], err = readContent(in, h.Size); err != nil {
			return nil
		}
	}
	return found
}
