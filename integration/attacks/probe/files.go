//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func init() {
	modes["devices"] = devices
	modes["mknod"] = mknod
	modes["write-proc"] = func([]string) { writeTree("/proc") }
	modes["write-sys"] = func([]string) { writeTree("/sys") }
	modes["write-root"] = writeRoot
	modes["write-init"] = func([]string) {
		for _, path := range []string{initFile(), "/proc/1/exe", "/proc/self/exe"} {
			tryWrite(path)
		}
	}
	modes["core-pattern"] = func([]string) { tryWrite("/proc/sys/kernel/core_pattern") }
	modes["core-dump"] = coreDump
	modes["abort"] = func([]string) {
		must(syscall.Kill(syscall.Getpid(), syscall.SIGABRT))
		select {}
	}
}

// tryWrite opens a file for writing, but writes nothing.
func tryWrite(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if try("write access to "+path, err) {
		f.Close()
	}
}

var harmlessDevices = []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx"}

// devices opens everything in /dev, and what hosts usually have there.
func devices([]string) {
	paths := []string{"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/loop-control", "/dev/sda", "/dev/vda", "/dev/console"}
	filepath.WalkDir("/dev", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeDevice != 0 && !slices.Contains(harmlessDevices, d.Name()) {
			paths = append(paths, path)
		}
		return nil
	})
	for _, path := range paths {
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
			f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0)
			if try("the device "+path, err) {
				f.Close()
			}
		}
	}
}

// mknod creates device nodes for memory, consoles and disks. The first disk is the one
// that holds the files of the engine.
func mknod([]string) {
	disk := uint64(8 << 8)
	var st syscall.Stat_t
	if syscall.Stat("/etc/hosts", &st) == nil {
		disk = st.Dev
	}
	for i, node := range []struct {
		kind uint32
		dev  uint64
	}{{syscall.S_IFBLK, disk}, {syscall.S_IFBLK, 8 << 8}, {syscall.S_IFCHR, 1<<8 | 1}, {syscall.S_IFCHR, 1<<8 | 11}, {syscall.S_IFCHR, 10<<8 | 232}} {
		path := fmt.Sprintf("/tmp/node%d", i)
		what := fmt.Sprintf("the device %d:%d", node.dev>>8, node.dev&0xff)
		if err := syscall.Mknod(path, node.kind|0o600, int(node.dev)); err != nil {
			try("a node for "+what, err)
			continue
		}
		f, err := os.Open(path)
		if try(what, err) {
			f.Close()
		}
	}
}

// writeTree opens every regular file of a tree for writing, except those of processes.
// Refusals are only counted. Any process may write to the files of /proc/pressure, to
// ask for notifications; nobody else notices.
func writeTree(root string) {
	var tried int
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() && filepath.Dir(path) == "/proc" && strings.Trim(d.Name(), "0123456789") == "" {
			return fs.SkipDir
		}
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && filepath.Dir(path) != "/proc/pressure" {
			tried++
			if f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				got("write access to %s", path)
				f.Close()
			}
		}
		return nil
	})
	if tried < 100 && !(onGVisor() && tried > 0) {
		say("broken", "%s has only %d files", root, tried)
	}
	say("looked", "%d files of %s", tried, root)
}

func writeRoot([]string) {
	for _, dir := range []string{"/", "/etc", "/bin", "/sbin", "/dev", "/proc", "/sys"} {
		f, err := os.Create(filepath.Join(dir, "attack"))
		if try("a file in "+dir, err) {
			f.Close()
		}
	}
	for _, path := range []string{"/probe", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} {
		tryWrite(path)
	}
	try("another name for /probe", os.Rename("/probe", "/tmp/probe"))
	try("the mode of /probe", os.Chmod("/probe", 0o7777))
}

// coreDump kills a child with a signal that dumps core.
func coreDump([]string) {
	unlimited := syscall.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}
	try("core dumps without a limit", syscall.Setrlimit(syscall.RLIMIT_CORE, &unlimited))
	c := exec.Command("/proc/self/exe", "abort")
	c.Dir = "/tmp"
	c.Env = append(os.Environ(), "GOTRACEBACK=crash") // the rest makes it the probe
	c.Run()
	status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		say("broken", "the child ended with %v", c.ProcessState)
	}
	if status.CoreDump() {
		got("a core dump")
	}
	if left, _ := filepath.Glob("/tmp/core*"); left != nil {
		got("a core file: %v", left)
	}
	say("looked", "for the core of a process that ended with %v", c.ProcessState)
}

// initFile is where the engine has its init: Docker or Podman.
func initFile() string {
	const podmans = "/run/podman-init"
	if _, err := os.Lstat(podmans); err == nil {
		return podmans
	}
	return "/sbin/docker-init"
}
