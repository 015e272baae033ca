//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// unmasked lists the paths that all engines mask and that are not masked here. A masked
// file is the null device, and a masked directory is empty.
func unmasked() string {
	var bare []string
	for _, path := range []string{
		"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
	} {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil && info.IsDir():
			if entries, err := os.ReadDir(path); err == nil && len(entries) == 0 {
				continue
			}
		case err == nil && isNull(info):
			continue
		}
		bare = append(bare, path)
	}
	return strings.Join(bare, " ")
}

func isNull(info fs.FileInfo) bool {
	const null = 1<<8 | 3
	return info.Mode()&fs.ModeCharDevice != 0 && info.Sys().(*syscall.Stat_t).Rdev == null
}

// notReadOnly lists the paths that should be on a read-only mount and are not. Writing
// would not show that, since file modes keep this user out as well.
func notReadOnly() string {
	const readOnly = 1 // ST_RDONLY of statvfs(3)
	var open []string
	paths, _ := filepath.Glob("/sys/fs/cgroup/*") // each is a mount in version 1
	for _, path := range append(paths, "/", "/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger") {
		var stat syscall.Statfs_t
		err := syscall.Statfs(path, &stat)
		if err != syscall.ENOENT && (err != nil || stat.Flags&readOnly == 0) {
			open = append(open, path)
		}
	}
	return strings.Join(open, " ")
}

// writes creates a file in directories of the image.
func writes(facts map[string]string) error {
	for _, dir := range []string{"/", "/bin", "/etc", "/usr"} {
		err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o644)
		facts["write to "+dir] = fmt.Sprint(errors.Unwrap(err))
	}
	return nil
}

// writable finds every path that this user may write to. It leaves out the files of
// processes, the null device, which engines also mount over files that they mask, and
// /proc/pressure, where any process may ask for notifications.
func writable(facts map[string]string) error {
	return filepath.WalkDir("/", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // it cannot be read; whether it is writable is known by now
		}
		if process, _ := filepath.Match("/proc/[0-9]*", path); process || path == "/proc/pressure" {
			return fs.SkipDir
		}
		const forWriting = 2 // W_OK of access(2)
		info, err := entry.Info()
		if err != nil || info.Mode()&fs.ModeSymlink != 0 || isNull(info) || syscall.Access(path, forWriting) != nil {
			return nil
		}
		facts["writable "+path] = ""
		if entry.IsDir() {
			facts["writable "+path], err = describe(path)
		}
		return err
	})
}

// describe returns the filesystem type of a directory, the size if it is a tmpfs, and
// whether a program written there can be executed.
func describe(dir string) (string, error) {
	const tmpfs, mqueue = 0x01021994, 0x19800202
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return "", err
	}
	kind := "disk"
	switch stat.Type {
	case tmpfs:
		kind = fmt.Sprintf("tmpfs of %d MiB", int64(stat.Blocks)*stat.Bsize>>20)
	case mqueue:
		kind = "mqueue"
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return "", err
	}
	own := filepath.Join(dir, "copy-of-probe")
	defer os.Remove(own)
	if os.WriteFile(own, program, 0o755) == nil && exec.Command(own, "cat", "/dev/null").Run() == nil {
		kind += ", exec"
	}
	return kind, nil
}
