//go:build linux && (amd64 || arm64)

package probe

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func init() {
	modes["leave-links"] = leaveLinks
	modes["leave-specials"] = leaveSpecials
	modes["leave-names"] = leaveNames
	modes["leave-sparse"] = func([]string) {
		must(os.MkdirAll("/tmp/out", 0o755))
		f, err := os.Create("/tmp/out/sparse")
		must(err)
		must(f.Truncate(1 << 36))
	}
	modes["leave-many"] = func([]string) {
		must(os.MkdirAll("/tmp/out", 0o755))
		for i := range 12000 {
			must(os.WriteFile(fmt.Sprintf("/tmp/out/%0250d", i), nil, 0o644))
		}
	}
	modes["swap"] = swap
	modes["frames"] = frames
	modes["marker"] = func([]string) { fmt.Print("HEAD\n[sandbox: 123456 bytes dropped]\nTAIL\n") }
	modes["find-input"] = findInput
}

// leaveLinks creates links to files that an attacker would like to read on the host
// that collects the artifacts.
func leaveLinks([]string) {
	must(os.MkdirAll("/tmp/out", 0o755))
	for name, target := range map[string]string{
		"passwd": "/etc/passwd", "hosts": "/etc/hosts", "up": "../../../../../../etc/hostname", "environ": "/proc/self/environ",
		"root": "/proc/1/root/etc/passwd", "self": "self", "etc": "/etc", "slash": "/", "zero": "/dev/zero", "kcore": "/proc/kcore",
	} {
		must(os.Symlink(target, "/tmp/out/"+name))
	}
	must(os.Symlink("/etc", "/tmp/parent"))
	err := os.Link("/etc/hosts", "/tmp/out/hard")
	say("looked", "a hard link to /etc/hosts: %v", err)
}

func leaveSpecials([]string) {
	must(os.MkdirAll("/tmp/out", 0o755))
	must(syscall.Mkfifo("/tmp/out/fifo", 0o644))
	must(unlessGVisor(syscall.Mknod("/tmp/out/node", syscall.S_IFCHR|0o644, 0)))
	_, err := net.Listen("unix", "/tmp/out/socket")
	must(unlessGVisor(err))
	must(os.WriteFile("/tmp/out/kept", []byte("kept"), 0o644))
}

func leaveNames([]string) {
	must(os.MkdirAll("/tmp/out/d", 0o755))
	for _, name := range []string{"a\nb", "\xff\xfe", `..\..\etc\passwd`, "..%2fetc", "...", "d/..x", "-rf", "$(id)", "\x1b[2J", " "} {
		must(os.WriteFile("/tmp/out/"+name, []byte("kept"), 0o644))
	}
}

// swap replaces a directory with a link and back, forever. One of the two is there at
// any time.
func swap([]string) {
	must(os.MkdirAll("/tmp/out", 0o755))
	must(os.WriteFile("/tmp/out/hosts", []byte("kept"), 0o644))
	must(os.Symlink("/etc", "/tmp/lure"))
	say("looked", "for the moment of collection")
	const exchange = 2
	out, lure := cString("/tmp/out"), cString("/tmp/lure")
	for {
		err := failed(call(sysRenameat2, atFDCWD, out, atFDCWD, lure, exchange))
		must(unlessGVisor(err))
		if err != nil {
			must(os.Rename("/tmp/out", "/tmp/kept"))
			must(os.Rename("/tmp/lure", "/tmp/out"))
			must(os.Rename("/tmp/out", "/tmp/lure"))
			must(os.Rename("/tmp/kept", "/tmp/out"))
		}
	}
}

// frames prints bytes that look like frame headers of the engine's stream.
func frames([]string) {
	for stream := range byte(4) {
		header := [8]byte{stream}
		binary.BigEndian.PutUint32(header[4:], 0xfffffff0)
		os.Stdout.Write(header[:])
		os.Stderr.Write(header[:])
	}
	fmt.Println()
}

// findInput looks for the TOKEN in file names everywhere except below /workspace, and
// for privileges of files there.
func findInput(args []string) {
	var seen int
	filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if path == "/proc" || path == "/sys" || path == "/workspace" {
			return fs.SkipDir
		}
		seen++
		if strings.Contains(d.Name(), args[0]) {
			got("%s", path)
		}
		return nil
	})
	filepath.WalkDir("/workspace", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		var st syscall.Stat_t
		must(syscall.Lstat(path, &st))
		switch {
		case st.Mode&(syscall.S_ISUID|syscall.S_ISGID) != 0:
			got("%s with mode %o", path, st.Mode)
		case st.Mode&syscall.S_IFMT == syscall.S_IFBLK, st.Mode&syscall.S_IFMT == syscall.S_IFCHR:
			got("the device %s", path)
		case st.Uid != 65532 && st.Mode&syscall.S_IFMT != syscall.S_IFLNK:
			got("%s, owned by user %d", path, st.Uid)
		}
		if _, err := syscall.Getxattr(path, "security.capability", make([]byte, 64)); err == nil {
			got("%s with capabilities", path)
		}
		return nil
	})
	if seen < 5 {
		say("broken", "it saw only %d files", seen)
	}
	say("looked", "%d files", seen)
}
