//go:build linux && (amd64 || arm64)

package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

func init() {
	modes["ofd-lock"] = func(args []string) {
		start, err := strconv.ParseInt(args[0], 10, 64)
		must(err)
		fd, err := call(sysMemfdCreate, cString("locks"), 0)
		must(err)
		const setLock, setLockWait = 37, 38
		for _, command := range []uintptr{setLock, setLockWait} {
			lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: start, Len: 1}
			tryLock("a lock of an open file", failed(call(syscall.SYS_FCNTL, uintptr(fd), command, addr(&lock))))
			tryLock("the same by a 32-bit call", lock32(fd, uint32(command), start))
		}
	}
	modes["find-lock"] = func(args []string) {
		content, err := os.ReadFile("/proc/locks")
		if err != nil {
			try("the locks", err)
			return
		}
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, args[0]) {
				got("a lock of another run: %s", line)
			}
		}
		say("looked", "%d bytes of locks", len(content))
	}
}

// tryLock is try for a command that a filter refuses as kernels do that lack it.
func tryLock(what string, err error) {
	if err == syscall.EINVAL {
		say("denied", "%s: %v", what, err)
		return
	}
	try(what, err)
}
