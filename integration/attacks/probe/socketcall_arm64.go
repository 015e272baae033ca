//go:build linux

package main

import "syscall"

func init() {
	// The call is of 32-bit programs on other machines alone.
	modes["socketcall"] = func([]string) { try("socketcall", syscall.ENOSYS) }
}
