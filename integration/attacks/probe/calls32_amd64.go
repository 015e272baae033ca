//go:build linux

package probe

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func init() {
	modes["socketcall"] = func([]string) {
		// A kernel without 32-bit calls kills the caller.
		out, err := exec.Command("/proc/self/exe", "socketcall-now").Output()
		os.Stdout.Write(out)
		if err != nil {
			say("denied", "a 32-bit call: %v", err)
		}
	}
	modes["socketcall-now"] = func([]string) {
		socketcall("a socket of AF_ALG", 38, syscall.SOCK_SEQPACKET)
		socketcall("a socket of AF_VSOCK", 40, syscall.SOCK_STREAM)
		directCalls()
	}
}

func call32(number, a, b, c, d uint32) int32

// below4GiB returns memory that a 32-bit call can name.
func below4GiB() []byte {
	const map32Bit = 0x40
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|map32Bit)
	must(err)
	return page
}

// directCalls asks for sockets and pairs of AF_ALG and AF_TIPC with the newer calls of
// 32-bit programs, whose arguments the filter sees.
func directCalls() {
	const socket, socketpair = 359, 360
	pair := below4GiB()
	for _, family := range []uint32{syscall.AF_TIPC, 38} {
		for name, number := range map[string]uint32{"socket": socket, "pair": socketpair} {
			what := fmt.Sprintf("a %s of family %d by a 32-bit call", name, family)
			result := call32(number, family, syscall.SOCK_SEQPACKET, 0, uint32(addr(&pair[0])))
			switch {
			case result == -int32(syscall.ENOSYS): // gVisor has no such number
				say("denied", "%s: %v", what, syscall.ENOSYS)
			case result < 0:
				tryFiltered(what, syscall.Errno(-result))
			default:
				tryFiltered(what, nil)
			}
		}
	}
}

// socketcall opens a socket with a system call of 32-bit programs. Its arguments are in
// memory, where no filter sees them.
func socketcall(what string, family, kind uint32) {
	const number, socket = 102, 1
	page := below4GiB()
	binary.LittleEndian.PutUint32(page, family)
	binary.LittleEndian.PutUint32(page[4:], kind)
	result := call32(number, socket, uint32(addr(&page[0])), 0, 0)
	if result < 0 {
		try(what, syscall.Errno(-result))
		return
	}
	// gVisor takes the number for a 64-bit call, which returns no socket.
	_, err := syscall.GetsockoptInt(int(result), syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err == syscall.EBADF {
		err = syscall.ENOSYS
	}
	try(what, err)
}

// lock32 sets a lock with the command of 32-bit programs, by a 32-bit call.
func lock32(fd int, command uint32, start int64) error {
	const fcntl64 = 221
	lock := below4GiB()
	binary.LittleEndian.PutUint16(lock, syscall.F_WRLCK)
	binary.LittleEndian.PutUint64(lock[4:], uint64(start))
	binary.LittleEndian.PutUint64(lock[12:], 1)
	if result := call32(fcntl64, uint32(fd), command, uint32(addr(&lock[0])), 0); result < 0 {
		return syscall.Errno(-result)
	}
	return nil
}
