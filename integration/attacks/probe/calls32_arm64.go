//go:build linux

package probe

import "syscall"

func init() {
	// Only other architectures have this call.
	modes["socketcall"] = func([]string) { try("socketcall", syscall.ENOSYS) }
}

func lock32(int, uint32, int64) error { return syscall.ENOSYS }
