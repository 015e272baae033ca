//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
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
	modes["lease"] = func([]string) {
		own := "/tmp/own"
		must(os.WriteFile(own, nil, 0o644))
		for _, path := range []string{own, "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", initFile()} {
			file, err := os.Open(path)
			if os.IsNotExist(err) {
				say("looked", "there is no %s", path)
				continue
			}
			must(err)
			const setLease = 1024
			for kind, name := range map[uintptr]string{syscall.F_RDLCK: "read", syscall.F_WRLCK: "write"} {
				_, err := call(syscall.SYS_FCNTL, file.Fd(), setLease, kind)
				if path == own {
					say("looked", "a %s lease on a file of its own: %v", name, err)
				} else {
					try(fmt.Sprintf("a %s lease on %s", name, path), err)
				}
			}
			file.Close()
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
