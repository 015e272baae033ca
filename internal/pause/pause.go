// Package pause has the one program of ours that runs in a container.
package pause

import (
	"encoding/binary"
)

// Program returns a static ELF executable that waits forever: the only program in the
// container that holds a disk. It is assembled here so that nothing of the image runs,
// and so that it can be read. There is one for amd64 and one for arm64.
func Program(arch string) (program []byte, known bool) {
	m, known := machines[arch]
	if !known {
		return nil, false
	}
	const (
		base   = 0x400000
		header = 64 + 56 // of the file, and of its one segment
	)
	size := uint64(header + len(m.code))
	var p []byte
	le := binary.LittleEndian
	// ELF header, see elf(5): 64 bits, little endian, executable.
	p = append(p, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	p = le.AppendUint16(p, 2)                        // ET_EXEC
	p = le.AppendUint16(p, m.machine)                // EM_…
	p = le.AppendUint32(p, 1)                        // EV_CURRENT
	p = le.AppendUint64(p, base+header)              // entry
	p = le.AppendUint64(p, 64)                       // offset of the program headers
	p = le.AppendUint64(p, 0)                        // no sections
	p = le.AppendUint32(p, 0)                        // flags
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} { // sizes and counts of the headers
		p = le.AppendUint16(p, v)
	}
	// The segment is the whole file, to be read and executed.
	p = le.AppendUint32(p, 1)   // PT_LOAD
	p = le.AppendUint32(p, 4|1) // PF_R, PF_X
	for _, v := range []uint64{0, base, base, size, size, 0x10000} {
		p = le.AppendUint64(p, v) // offset, addresses, sizes, alignment
	}
	return append(p, m.code...), true
}

var machines = map[string]struct {
	machine uint16
	code    []byte
}{
	"amd64": {62, []byte{
		0xb8, 0x22, 0x00, 0x00, 0x00, // mov eax, 34 (pause)
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp to the start
	}},
	"arm64": {183, []byte{
		0x00, 0x00, 0x80, 0xd2, // mov x0, 0: no files
		0x01, 0x00, 0x80, 0xd2, // mov x1, 0
		0x02, 0x00, 0x80, 0xd2, // mov x2, 0: no timeout
		0x03, 0x00, 0x80, 0xd2, // mov x3, 0: no signal mask
		0x28, 0x09, 0x80, 0xd2, // mov x8, 73 (ppoll; there is no pause)
		0x01, 0x00, 0x00, 0xd4, // svc 0
		0xfa, 0xff, 0xff, 0x17, // b to the start
	}},
}
