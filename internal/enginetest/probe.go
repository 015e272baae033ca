package enginetest

import (
	"github.com/synchestra-io/sandbox/internal/rootfs"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// ProbeFile is /probe, the tests' own program, as a file of an image.
func ProbeFile() tarball.File {
	probe, err := rootfs.Probe()
	if err != nil {
		panic(err)
	}
	return tarball.File{Name: "probe", Body: string(probe), Mode: 0o755}
}
