//go:build linux

package main

import (
	"encoding/binary"
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
	}
}

func call32(number, a, b uint32) int32

// socketcall opens a socket with a system call of 32-bit programs. Its arguments are in
// memory, where no filter sees them.
func socketcall(what string, family, kind uint32) {
	const number, socket, below4GiB = 102, 1, 0x40
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|below4GiB)
	must(err)
	binary.LittleEndian.PutUint32(page, family)
	binary.LittleEndian.PutUint32(page[4:], kind)
	result := call32(number, socket, uint32(addr(&page[0])))
	if result < 0 {
		try(what, syscall.Errno(-result))
		return
	}
	// gVisor takes the number for a 64-bit call, which returns no socket.
	_, err = syscall.GetsockoptInt(int(result), syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err == syscall.EBADF {
		err = syscall.ENOSYS
	}
	try(what, err)
}
