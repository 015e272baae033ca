//go:build linux && (amd64 || arm64)

package probe

import (
	"syscall"
	"unsafe"
)

// System calls with the same number on all architectures.
const (
	sysIOUringSetup = 425
	sysOpenTree     = 428
	sysFsopen       = 430
	sysClone3       = 435
)

const atFDCWD = ^uintptr(99) // -100

// kept refers to everything whose address the kernel gets, so that it is on the heap and
// stays there.
var kept []unsafe.Pointer

func addr[T any](p *T) uintptr {
	kept = append(kept, unsafe.Pointer(p))
	return uintptr(unsafe.Pointer(p))
}

// cString returns the address of a C string.
func cString(s string) uintptr {
	p, err := syscall.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	return addr(p)
}

// call makes a system call. With an error the result is -1.
func call(number uintptr, args ...uintptr) (int, error) {
	a := [6]uintptr{}
	copy(a[:], args)
	result, _, errno := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return -1, errno
	}
	return int(result), nil
}

// failed returns only the error of a call.
func failed(_ int, err error) error { return err }
