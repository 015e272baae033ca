//go:build linux && (amd64 || arm64)

package main

import (
	"syscall"
	"unsafe"
)

// System calls with one number on all machines.
const (
	sysIOUringSetup = 425
	sysOpenTree     = 428
	sysFsopen       = 430
	sysClone3       = 435
)

const atFDCWD = ^uintptr(99) // -100

// kept holds what the kernel is given the address of: so it is on the heap, does
// not move, and stays.
var kept []unsafe.Pointer

func addr[T any](p *T) uintptr {
	kept = append(kept, unsafe.Pointer(p))
	return uintptr(unsafe.Pointer(p))
}

// text is the address of a C string.
func text(s string) uintptr {
	p, err := syscall.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	return addr(p)
}
