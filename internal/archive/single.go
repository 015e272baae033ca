package archive

import (
	"archive/tar"
	"errors"
	"io"

	"github.com/synchestra-io/sandbox/isolation"
)

// SingleFile returns a function that writes a tar with one file of the job's user.
func SingleFile(name string, mode int64, content []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		out := tar.NewWriter(w)
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)),
			Uid: isolation.UID, Gid: isolation.GID,
		}
		err := out.WriteHeader(h)
		if err == nil {
			_, err = out.Write(content)
		}
		return errors.Join(err, out.Close())
	}
}
