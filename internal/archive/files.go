package archive

import (
	"archive/tar"
	"io"
	"maps"
	"slices"

	"github.com/synchestra-io/sandbox/isolation"
)

// RootFiles returns a function that writes a tar with files of root's, by name.
func RootFiles(mode int64, content map[string]string) func(io.Writer) error {
	return files(0, mode, content)
}

// SingleFile returns a function that writes a tar with one file of the job's user.
func SingleFile(name string, mode int64, content []byte) func(io.Writer) error {
	return files(isolation.UID, mode, map[string]string{name: string(content)})
}

// files returns a function that writes a tar with files of a user and the group of the same
// number, by name.
func files(user int, mode int64, content map[string]string) func(io.Writer) error {
	return func(w io.Writer) error {
		out := tar.NewWriter(w)
		for _, name := range slices.Sorted(maps.Keys(content)) {
			h := &tar.Header{
				Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content[name])),
				Uid: user, Gid: user,
			}
			if err := out.WriteHeader(h); err != nil {
				return err
			}
			if _, err := io.WriteString(out, content[name]); err != nil {
				return err
			}
		}
		return out.Close()
	}
}
