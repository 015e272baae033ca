//go:build linux && (amd64 || arm64)

package probe

import (
	"os"
	"syscall"
)

func init() {
	modes["mount"] = mount
	modes["remount"] = remount
	modes["new-mount-api"] = newMountAPI
	modes["unmount"] = unmount
	modes["pivot-root"] = func([]string) { try("another root", syscall.PivotRoot("/tmp", "/tmp")) }
	modes["chroot"] = func([]string) {
		try("a root of its own", syscall.Chroot("/tmp"))
	}
	modes["open-by-handle"] = openByHandle
}

func mount([]string) {
	for _, kind := range []string{"tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "debugfs", "bpf", "overlay"} {
		try("a mount of "+kind, syscall.Mount(kind, "/tmp", kind, 0, ""))
	}
	try("a bind mount of /proc", syscall.Mount("/proc", "/tmp", "", syscall.MS_BIND|syscall.MS_REC, ""))
}

func remount([]string) {
	for _, path := range []string{"/", "/proc/sys", "/proc/sysrq-trigger", "/sys", "/sys/fs/cgroup", "/etc/hosts"} {
		try("write access to "+path, syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_BIND, ""))
	}
	try("mounts that the host sees", syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, ""))
}

func newMountAPI([]string) {
	const clone, recursive = 1, 0x8000
	try("a copy of the mount tree", failed(call(sysOpenTree, atFDCWD, cString("/"), clone|recursive)))
	try("a new tmpfs", failed(call(sysFsopen, cString("tmpfs"), 0)))
}

func unmount([]string) {
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/sys", initFile(), "/etc/hosts"} {
		if _, err := os.Lstat(path); err == nil {
			try("what "+path+" covers", syscall.Unmount(path, syscall.MNT_DETACH))
		}
	}
}

// fileHandle is struct file_handle.
type fileHandle struct {
	bytes uint32
	kind  int32
	data  [128]byte
}

// openByHandle opens inode 2, which is the root directory, on the disk that holds the
// engine's /etc/hosts. Containers have read files of hosts this way.
func openByHandle([]string) {
	base := "/etc/hosts"
	if _, err := os.Stat(base); err != nil {
		base = "/"
	}
	fd, err := syscall.Open(base, syscall.O_RDONLY, 0)
	if err != nil {
		say("broken", "%s: %v", base, err)
		return
	}
	named := fileHandle{bytes: 128}
	var id int32
	if _, err := call(sysNameToHandleAt, atFDCWD, cString(base), addr(&named), addr(&id), 0); err != nil {
		say("looked", "a handle of %s: %v", base, err)
	}
	root := fileHandle{bytes: 8, kind: 1, data: [128]byte{2}}
	for _, h := range []*fileHandle{&root, &named} {
		tryPrivilege("a file on the disk of the host, by its handle", failed(call(sysOpenByHandleAt, uintptr(fd), addr(h), syscall.O_RDONLY)))
	}
}
