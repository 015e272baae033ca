//go:build linux && (amd64 || arm64)

package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

func init() {
	modes["user-namespace"] = userNamespace
	modes["namespaces"] = unshare
	modes["setns"] = setns
	modes["cgroups"] = cgroups
	modes["other-roots"] = otherRoots
	modes["descriptors"] = descriptors
}

const newTime = 0x80

var namespaceFlags = map[string]int{
	"mnt": syscall.CLONE_NEWNS, "pid": syscall.CLONE_NEWPID, "net": syscall.CLONE_NEWNET, "ipc": syscall.CLONE_NEWIPC,
	"uts": syscall.CLONE_NEWUTS, "cgroup": 0x02000000, "time": newTime,
}

func userNamespace([]string) {
	c := exec.Command("/proc/self/exe", "nothing")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	try("a user namespace, with all capabilities in it", c.Run())
	args := [11]uint64{0: syscall.CLONE_NEWUSER, 4: uint64(syscall.SIGCHLD)}
	pid, _, errno := syscall.RawSyscall(sysClone3, addr(&args), 88, 0)
	if pid == 0 && errno == 0 {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
	if errno != 0 {
		try("a user namespace by clone3", errno)
		return
	}
	got("a user namespace by clone3")
}

// unshare creates namespaces for children, and then for its own thread.
func unshare([]string) {
	for name, flag := range namespaceFlags {
		if flag == newTime {
			continue // clone reads this bit as part of a signal number
		}
		c := exec.Command("/proc/self/exe", "nothing")
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: uintptr(flag)}
		try("a process in a "+name+" namespace", c.Run())
	}
	runtime.LockOSThread()
	for name, flag := range namespaceFlags {
		try("a "+name+" namespace", syscall.Unshare(flag))
	}
}

func setns([]string) {
	runtime.LockOSThread()
	links, _ := filepath.Glob("/proc/[0-9]*/ns/*")
	for _, link := range links {
		// EINVAL is right here: a process cannot enter its own user namespace, or with
		// several threads a time namespace.
		if kind := filepath.Base(link); kind == "user" || strings.HasPrefix(kind, "time") {
			continue
		}
		fd, err := syscall.Open(link, syscall.O_RDONLY, 0)
		if err != nil {
			try("the namespace "+link, err)
			continue
		}
		try("to enter "+link, failed(call(sysSetns, uintptr(fd), 0)))
	}
}

func cgroups([]string) {
	filepath.Walk("/sys/fs/cgroup", func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return nil
		}
		if info.IsDir() {
			try("a cgroup below "+path, os.Mkdir(filepath.Join(path, "attack"), 0o755))
		} else if info.Mode().IsRegular() {
			tryWrite(path)
		}
		return nil
	})
}

// otherRoots looks for a process with another root directory.
func otherRoots([]string) {
	own, err := os.Stat("/")
	if err != nil {
		say("broken", "%v", err)
		return
	}
	roots, _ := filepath.Glob("/proc/[0-9]*/root")
	for _, root := range roots {
		if other, err := os.Stat(root); err == nil && !os.SameFile(own, other) {
			got("another root: %s", root)
		}
		say("looked", "%s", root)
	}
}

// openedHere tells whether this program opened fd itself, as the Go runtime opens files
// of its cgroup. A descriptor that came through exec has no FD_CLOEXEC.
func openedHere(fd int) bool {
	flags, err := call(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD)
	return err == nil && flags&syscall.FD_CLOEXEC != 0
}

// descriptors looks for host files that the runtime left open.
func descriptors([]string) {
	for _, process := range []string{"self", "1"} {
		for fd := range 256 {
			path := "/proc/" + process + "/fd/" + strconv.Itoa(fd)
			target, err := os.Readlink(path)
			if process == "self" && openedHere(fd) {
				continue
			}
			if err == nil && strings.HasPrefix(target, "/") && target != "/dev/null" {
				got("an open file: %s is %s", path, target)
			}
			if err == nil && fd > 2 {
				if entries, err := os.ReadDir(path + "/"); err == nil {
					got("an open directory: %s, with %d entries", path, len(entries))
				}
			}
		}
		say("looked", "the descriptors of %s", process)
	}
	if cwd, err := os.Getwd(); err != nil || !strings.HasPrefix(cwd, "/") {
		got("a working directory outside: %q, %v", cwd, err)
	}
}
