//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// report returns everything that a job can find out about its confinement. Some values
// list what is wrong, and are empty in a hardened container.
func report() (map[string]string, error) {
	facts := map[string]string{
		"parent":       strconv.Itoa(os.Getppid()),
		"processes":    otherProcesses(),
		"unmasked":     unmasked(),
		"not readonly": notReadOnly(),
	}
	for _, add := range []func(map[string]string) error{status, initProcess, coreLimit, cgroup, upInterfaces, namespaces, writes, writable} {
		if err := add(facts); err != nil {
			return nil, err
		}
	}
	return facts, nil
}

func status(facts map[string]string) error {
	fields, err := processStatus()
	if err != nil {
		return err
	}
	for _, name := range []string{"Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"} {
		if value, found := fields[name]; found {
			facts[name] = value
		}
	}
	groups := strings.Fields(fields["Gid"] + " " + fields["Groups"])
	slices.Sort(groups)
	facts["all groups"] = strings.Join(slices.Compact(groups), " ")
	return nil
}

func initProcess(facts map[string]string) error {
	command, err := os.ReadFile("/proc/1/cmdline")
	facts["pid 1"], _, _ = strings.Cut(string(command), "\x00")
	return err
}

// otherProcesses lists the processes besides this one and PID 1.
func otherProcesses() string {
	var others []string
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, name := range names {
		if pid := filepath.Base(filepath.Dir(name)); pid != "1" && pid != strconv.Itoa(os.Getpid()) {
			comm, _ := os.ReadFile(name) // empty if the process has just ended
			others = append(others, strings.TrimSpace(string(comm)))
		}
	}
	return strings.Join(others, " ")
}

func coreLimit(facts map[string]string) error {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit)
	facts["core limit"] = fmt.Sprint(limit.Cur, limit.Max)
	return err
}

// cgroup lists the paths of this process in all hierarchies, as its namespace shows
// them.
func cgroup(facts map[string]string) error {
	content, err := os.ReadFile("/proc/self/cgroup")
	var paths []string
	for line := range strings.Lines(string(content)) {
		paths = append(paths, strings.TrimSpace(line[strings.LastIndex(line, ":")+1:]))
	}
	slices.Sort(paths)
	facts["cgroup"] = strings.Join(slices.Compact(paths), " ")
	return err
}

// upInterfaces lists the interfaces that are up. Kernels with tunnel modules create
// others, which are down, in every new namespace.
func upInterfaces(facts map[string]string) error {
	list, err := net.Interfaces()
	var up []string
	for _, i := range list {
		if i.Flags&net.FlagUp != 0 {
			up = append(up, i.Name)
		}
	}
	facts["interfaces"] = strings.Join(up, " ")
	return err
}

func namespaces(facts map[string]string) error {
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"} {
		id, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			return err
		}
		facts["namespace "+kind] = id
	}
	return nil
}
