package attacks

import (
	"archive/tar"
	"bytes"
	"io"
)

// allCapabilities is a struct vfs_cap_data of revision 2 with the effective bit:
// permitted and inheritable capabilities, the low halves first.
const allCapabilities = "\x01\x00\x00\x02" + "\xff\xff\xff\xff" + "\x00\x00\x00\x00" + "\xff\x01\x00\x00" + "\x00\x00\x00\x00"

// imageFiles returns the attack image as a tar: the probe and nothing else. Anyone
// may write anywhere in it, so only the sandbox keeps the attacker out. The probe is
// there three times: as it is, setuid root, and with all file capabilities.
func imageFiles(program func() ([]byte, error)) (io.Reader, error) {
	probe, err := program()
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []*tar.Header{
		directory("./"), directory("bin/"), directory("etc/"), directory("sbin/"), directory("tmp/"),
		{Name: "probe", Mode: 0o777},
		{Name: "setuid", Mode: 0o6755},
		{Name: "filecaps", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": allCapabilities}},
	} {
		var content []byte
		if h.Typeflag != tar.TypeDir {
			h.Typeflag, h.Size, content = tar.TypeReg, int64(len(probe)), probe
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return &archive, w.Close()
}

func directory(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o777}
}
