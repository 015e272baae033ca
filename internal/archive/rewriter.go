// Package archive reads and writes the tar archives that pass between a caller, this
// module and the engine. A hostile archive goes in; what comes out is safe to unpack.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/isolation"
)

// Rewriter rewrites a caller's tar for the engine. Every entry it writes
// belongs to 65532:65532, lies below prefix, and follows entries for all of its
// parents, which the engine would otherwise create as root.
type Rewriter struct {
	out     *tar.Writer
	prefix  string // such as "sandbox-1f…/tree/0"
	mounts  []mountPoint
	claimed claims.Names
	kinds   kinds
	left    budget
	buf     []byte // for the content of files
}

// NewRewriter returns a Rewriter that writes to w, with the tree below the directory
// prefix, in which some names are claimed. The first entry must be that of a directory:
// see [Rewriter.Root].
func NewRewriter(w io.Writer, prefix string, claimed claims.Names) *Rewriter {
	t := &Rewriter{
		out: tar.NewWriter(w), prefix: prefix, claimed: claimed,
		kinds: kinds{}, left: budget{MaxEntries, MaxDirectories, MaxNameBytes}, buf: make([]byte, 32<<10),
	}
	t.kinds.set("", tar.TypeDir)
	return t
}

// Root writes a directory by its name in the output, such as prefix.
func (t *Rewriter) Root(name string) error {
	return t.emit("", &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, nil)
}

// Mount puts a directory of the tree, and all below it, into another place of the output.
// What is mounted from there needs a directory in the tree, too.
func (t *Rewriter) Mount(dir, place string) error {
	if err := t.parents(dir); err != nil {
		return err
	}
	t.mounts = append(t.mounts, mountPoint{dir, place})
	return t.Root(place)
}

// mountPoint is a directory of the tree that is elsewhere in the output.
type mountPoint struct{ dir, place string }

// place is where a name of the tree is in the output: the deepest mount point decides.
func (t *Rewriter) place(name string) string {
	at, place := "", path.Join(t.prefix, name)
	for _, m := range t.mounts {
		if below, ok := strings.CutPrefix(name, m.dir); ok && len(m.dir) > len(at) && (below == "" || below[0] == '/') {
			at, place = m.dir, m.place+below
		}
	}
	return place
}

// Copy copies the tree of a tar to the writer.
func (t *Rewriter) Copy(input io.Reader) error {
	in := NewReader(input)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.entry(h, in); err != nil {
			// A PAX record holds names of up to a megabyte.
			return fmt.Errorf("entry %.*q: %w", MaxName, h.Name, cutShort(err))
		}
	}
}

// Close ends the archive, which is complete only then.
func (t *Rewriter) Close() error { return t.out.Close() }

func (t *Rewriter) entry(h *tar.Header, body io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return t.left.take(false, 0) // metadata, which git archive writes
	}
	name, err := localName(h.Name)
	if err != nil {
		return err
	}
	kind, err := entryKind(h)
	if err != nil {
		return err
	}
	if name == "" {
		if kind != tar.TypeDir {
			return errors.New("the tree's root is not a directory")
		}
		return t.left.take(false, 0) // it has its header already
	}
	if err := t.claimed.Check(name, kind); err != nil {
		return fmt.Errorf("%w, or leave it out of the archive", err)
	}
	if was, ok := t.kinds.of(name); ok && was != regular(kind) {
		return errors.New("the name occurs twice, with different types")
	}
	if err := t.parents(path.Dir(name)); err != nil {
		return err
	}
	out := &tar.Header{Typeflag: kind, Name: t.place(name), ModTime: h.ModTime}
	switch kind {
	case tar.TypeReg:
		out.Size, out.Mode = h.Size, fileMode(h)
	case tar.TypeDir:
		out.Mode = h.Mode&0o777 | 0o700
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > MaxPath {
			return fmt.Errorf("the target of the symbolic link has %d bytes; want 1 to %d", len(h.Linkname), MaxPath)
		}
		out.Linkname, out.Mode = h.Linkname, 0o777
	case tar.TypeLink:
		out.Mode = fileMode(h) // the engine applies it to the file
		if out.Linkname, err = t.linkTarget(h.Linkname); err != nil {
			return err
		}
		if out.Linkname == out.Name {
			return t.left.take(false, 0) // GNU tar's entry for a file that it was given twice
		}
	}
	return t.emit(name, out, body)
}

// emit writes one entry and remembers its type.
func (t *Rewriter) emit(name string, h *tar.Header, body io.Reader) error {
	_, known := t.kinds.of(name)
	if err := t.left.take(h.Typeflag == tar.TypeDir && !known, len(name)+len(h.Linkname)); err != nil {
		return err
	}
	h.Uid, h.Gid = isolation.UID, isolation.GID
	if h.ModTime.IsZero() {
		h.ModTime = time.Now()
	}
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	if err := t.out.WriteHeader(h); err != nil {
		return err
	}
	t.kinds.set(name, regular(h.Typeflag))
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.CopyBuffer(t.out, body, t.buf)
	return err
}

// parents writes the directories that the archive has no entry for, and refuses
// to go below anything that is not a directory: below a symbolic link an entry
// would land wherever the link points.
func (t *Rewriter) parents(dir string) error {
	if dir == "." {
		return nil
	}
	switch kind, ok := t.kinds.of(dir); {
	case ok && kind == tar.TypeDir:
		return nil
	case ok && kind == tar.TypeSymlink:
		return fmt.Errorf("it is below the symbolic link %q of the same archive", dir)
	case ok:
		return fmt.Errorf("it is below %q, which is not a directory", dir)
	}
	if err := t.parents(path.Dir(dir)); err != nil {
		return err
	}
	if err := t.claimed.Check(dir, tar.TypeDir); err != nil {
		return fmt.Errorf("its parent %q %w, or leave it out of the archive", dir, err)
	}
	return t.emit(dir, &tar.Header{Typeflag: tar.TypeDir, Name: t.place(dir), Mode: 0o755}, nil)
}

// linkTarget is the new name of a hard link's target, which must be a regular
// file that came before.
func (t *Rewriter) linkTarget(target string) (string, error) {
	name, err := localName(target)
	if err != nil {
		return "", fmt.Errorf("hard link to %.*q: %w", MaxName, target, err)
	}
	if kind, ok := t.kinds.of(name); !ok || kind != tar.TypeReg {
		return "", fmt.Errorf("hard link to %.*q, which is not a regular file earlier in the archive", MaxName, target)
	}
	return t.place(name), nil
}
