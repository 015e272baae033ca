package archive

import (
	"crypto/sha256"
	"fmt"
)

// Bounds of an archive's names. They are well above what real trees need: a checkout
// of the Linux kernel has 92,000 entries, 6,000 of them directories, and 4 MB of names;
// a node_modules of 200,000 files has about 30,000 directories and 20 MB of names.
const (
	MaxPath  = 3072 // bytes of a name; leaves room for InputDir within the kernel's 4096
	MaxName  = 255  // bytes of a component of a name
	MaxDepth = 128  // components of a name; one of so many costs the engine up to twice as much as one of one

	// MaxEntries is how many entries an archive may have, together with the
	// directories that only the names of others imply.
	MaxEntries = 300_000
	// MaxDirectories is how many of them may be directories. They take the engine's disk
	// longest to remove, and the clean-up of a run has 30 seconds.
	MaxDirectories = 60_000
	// MaxNameBytes is how many bytes all these names may have together, with the
	// targets of links. The engine looks up every component of a name several times.
	MaxNameBytes = 32 << 20
)

// budget is what is left of the bounds on all names of an archive.
type budget struct{ entries, directories, bytes int }

// take takes one entry whose name and link have so many bytes.
func (b *budget) take(newDirectory bool, bytes int) error {
	b.entries--
	b.bytes -= bytes
	if newDirectory {
		b.directories--
	}
	const advice = "with the directories that only the names of others imply; leave out what the command does not need"
	switch {
	case b.entries < 0:
		return fmt.Errorf("the archive has more than %d entries, %s", MaxEntries, advice)
	case b.directories < 0:
		return fmt.Errorf("the archive has more than %d directories, %s", MaxDirectories, advice)
	case b.bytes < 0:
		return fmt.Errorf("the names in the archive have more than %d bytes, %s", MaxNameBytes, advice)
	}
	return nil
}

// kinds has the type of each name that was written; "" is the tree's root. It keeps
// digests of the names and not the names themselves: those could fill the caller's
// memory, each with the PAX record of a megabyte that it is a part of.
type kinds map[[sha256.Size]byte]byte

func (k kinds) set(name string, kind byte) { k[sha256.Sum256([]byte(name))] = kind }

func (k kinds) of(name string) (kind byte, known bool) {
	kind, known = k[sha256.Sum256([]byte(name))]
	return kind, known
}
