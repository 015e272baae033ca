//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func init() {
	modes["search"] = search
	modes["environment"] = environment
	modes["host-name"] = hostName
	modes["engine-socket"] = sockets
	modes["masked"] = masked
	modes["kernel-addresses"] = kernelAddresses
	modes["engine-paths"] = enginePaths
	modes["host-facts"] = hostFacts
	modes["read"] = func(args []string) {
		for _, path := range args {
			content, err := os.ReadFile(path)
			if try(path, err) {
				os.Stdout.Write(content)
			}
		}
	}
}

// search looks for the TOKEN in everything that it can read except itself.
func search(args []string) {
	token := []byte(args[0])
	self := "/proc/" + itself()
	var read int
	for _, root := range append(slices.Clone(writableDirs), "/proc", "/dev/mqueue", "/etc") {
		filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || strings.HasPrefix(path, self+"/") || path == "/proc/self" || path == "/proc/thread-self" {
				return nil
			}
			if strings.Contains(d.Name(), args[0]) {
				got("%s", path)
			}
			if !d.Type().IsRegular() || strings.HasSuffix(path, "/kmsg") {
				return nil
			}
			if f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
				content, _ := io.ReadAll(io.LimitReader(f, 1<<16))
				f.Close()
				read++
				// The command line of the init ends with that of this probe.
				if bytes.Contains(content, token) && path != "/proc/1/cmdline" && !strings.HasPrefix(path, "/proc/1/task/") {
					got("the token in %s", path)
				}
			}
			return nil
		})
	}
	if read < 50 {
		say("broken", "it read only %d files", read)
	}
	say("looked", "%d files", read)
}

func itself() string {
	name, _ := os.Readlink("/proc/self")
	return name
}

// environment looks for variables besides the NAMES, in its own environment and in that
// of the init.
func environment(names []string) {
	for _, path := range []string{"/proc/self/environ", "/proc/1/environ"} {
		content, err := os.ReadFile(path)
		if err != nil {
			say("denied", "%v", err)
			continue
		}
		for variable := range strings.SplitSeq(strings.TrimRight(string(content), "\x00"), "\x00") {
			name, _, _ := strings.Cut(variable, "=")
			if !slices.Contains(names, name) && variable != "container=podman" { // who else, there
				got("%s in %s", variable, path)
			}
		}
		say("looked", "%s", path)
	}
}

// hostName looks for the NAME as a word where the system stores host names.
func hostName(args []string) {
	for _, path := range []string{"/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/etc/hostname", "/etc/hosts", "/proc/self/environ"} {
		content, err := os.ReadFile(path)
		if err != nil {
			say("denied", "%v", err)
			continue
		}
		words := strings.FieldsFunc(string(content), func(r rune) bool { return strings.ContainsRune(" \t\n\x00=:", r) })
		if slices.Contains(words, args[0]) {
			got("%s in %s", args[0], path)
		}
		say("looked", "%s", path)
	}
}

// sockets looks for sockets in the filesystem, and for those of engines by name.
func sockets([]string) {
	filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if path == "/proc" || path == "/sys" {
			return fs.SkipDir
		}
		if err == nil && d.Type()&fs.ModeSocket != 0 {
			got("the socket %s", path)
		}
		return nil
	})
	for _, path := range []string{"/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock"} {
		_, err := os.Stat(path)
		try(path, err)
	}
	content, err := os.ReadFile("/proc/net/unix")
	must(err)
	if lines := bytes.Count(content, []byte("\n")); lines > 1 {
		got("%d sockets of other processes: %s", lines-1, content)
	}
}

// masked reads the files that engines mask.
func masked([]string) {
	for _, path := range []string{"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug", "/proc/kmsg"} {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			try(path, err)
			continue
		}
		if n, _ := f.Read(make([]byte, 64)); n > 0 {
			got("%s", path)
		}
		say("looked", "%s", path)
	}
	for _, dir := range []string{"/proc/acpi", "/proc/scsi", "/sys/firmware"} {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			got("%s", dir)
		}
		say("looked", "%s", dir)
	}
}

func kernelAddresses([]string) {
	for _, path := range []string{"/proc/kallsyms", "/proc/modules"} {
		content, err := os.ReadFile(path)
		if err != nil {
			try(path, err)
			continue
		}
		for line := range strings.Lines(string(content)) {
			first, _, _ := strings.Cut(line, " ")
			if path == "/proc/kallsyms" && strings.Trim(first, "0") != "" {
				got("an address: %s", line)
				break
			}
		}
		say("looked", "%s", path)
	}
}

// hostFacts looks for LINES of files on the host, and for signs of load that is not its
// own.
func hostFacts(lines []string) {
	for _, path := range []string{"/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/pressure/cpu"} {
		content, err := os.ReadFile(path)
		if err != nil {
			try(path, err)
			continue
		}
		for _, line := range lines {
			if strings.Contains(string(content), line) {
				got("%s in %s", line, path)
			}
		}
		if path == "/proc/loadavg" && !strings.HasPrefix(string(content), "0.00 0.00 0.00 ") {
			got("how busy the host is: %s", content)
		}
		say("looked", "%s", path)
	}
}

// enginePaths looks for directories of the engine in the mount table.
func enginePaths([]string) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	for line := range strings.Lines(string(content)) {
		for _, mark := range []string{"upperdir=", "/containers/", "/volumes/"} {
			if _, after, found := strings.Cut(line, mark); found {
				path, _, _ := strings.Cut(after, ",")
				got("a path of the engine: %s%s", mark, path)
				return
			}
		}
	}
	say("looked", "%d bytes of the mount table", len(content))
}
