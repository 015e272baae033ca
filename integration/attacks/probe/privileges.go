//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

func init() {
	modes["identity"] = func([]string) { fmt.Println(os.Geteuid(), os.Getegid(), statusOf("CapEff")) }
	modes["setuid-calls"] = setuidCalls
	modes["setuid-file"] = func([]string) {
		info, err := os.Stat("/setuid")
		if err != nil || info.Mode()&os.ModeSetuid == 0 {
			say("broken", "/setuid: %v, %v", info, err)
		}
		runPrivileged("/setuid")
	}
	modes["file-capabilities"] = func([]string) {
		if _, err := syscall.Getxattr("/filecaps", "security.capability", make([]byte, 64)); err != nil {
			must(unlessGVisor(err))
		}
		runPrivileged("/filecaps")
	}
	modes["capabilities"] = capabilities
	modes["filters-off"] = filtersOff
	modes["priority"] = func([]string) {
		try("the highest priority", syscall.Setpriority(syscall.PRIO_PROCESS, 0, -20))
		const fifo = 1
		param := int32(1)
		try("real-time scheduling", failed(call(syscall.SYS_SCHED_SETSCHEDULER, 0, fifo, addr(&param))))
	}
	modes["oom-score"] = func([]string) {
		try("to be spared when memory is short", os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0))
		try("the init to be spared", os.WriteFile("/proc/1/oom_score_adj", []byte("-1000"), 0))
	}
	modes["lower-oom-score"] = func([]string) {
		for _, process := range []string{"self", "1"} {
			path := "/proc/" + process + "/oom_score_adj"
			now, err := os.ReadFile(path)
			must(err)
			score, err := strconv.Atoi(strings.TrimSpace(string(now)))
			must(err)
			for _, lower := range []int{-1, 0, score - 1} {
				try(fmt.Sprintf("a score of %d for %d in %s", lower, score, path), os.WriteFile(path, fmt.Append(nil, lower), 0))
			}
		}
	}
}

// processStatus returns the fields of /proc/self/status.
func processStatus() (map[string]string, error) {
	content, err := os.ReadFile("/proc/self/status")
	fields := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields, err
}

func statusOf(name string) string {
	fields, err := processStatus()
	if value, found := fields[name]; found && err == nil {
		return value
	}
	return "unknown"
}

func setuidCalls([]string) {
	try("user 0", failed(call(syscall.SYS_SETUID, 0)))
	try("group 0", failed(call(syscall.SYS_SETGID, 0)))
	try("group 0 as another group", failed(call(syscall.SYS_SETGROUPS, 1, addr(new([1]uint32)))))
	must(os.WriteFile("/tmp/owned", nil, 0o755))
	try("a file owned by root", os.Chown("/tmp/owned", 0, 0))
}

// runPrivileged runs a program whose mode or attributes give it privileges.
func runPrivileged(path string) {
	out, err := exec.Command(path, "identity").Output()
	if err != nil {
		try("to run "+path, err)
		return
	}
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		say("broken", "%s printed %q", path, out)
		return
	}
	if fields[0] == "0" || fields[1] == "0" || strings.Trim(fields[2], "0") != "" {
		got("user %s, group %s, capabilities %s", fields[0], fields[1], fields[2])
		return
	}
	say("denied", "%s ran as user %s, group %s, with capabilities %s", path, fields[0], fields[1], fields[2])
}

func capabilities([]string) {
	header := [2]uint32{0x20080522, 0}
	data := [6]uint32{1 << 21, 1 << 21, 0, 0, 0, 0}
	try("CAP_SYS_ADMIN", failed(call(syscall.SYS_CAPSET, addr(&header), addr(&data))))
	const ambient, raise, sysAdmin = 47, 2, 21
	try("CAP_SYS_ADMIN for programs that it executes", failed(call(syscall.SYS_PRCTL, ambient, raise, sysAdmin)))
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if set == "CapAmb" && onGVisor() {
			continue // which has no ambient set
		}
		if value := statusOf(set); strings.Trim(value, "0") != "" {
			got("%s %s", set, value)
		}
		say("looked", "%s", set)
	}
}

// filtersOff turns off no_new_privs and seccomp, and reads both back: the answer of the
// kernel is EINVAL in any case.
func filtersOff([]string) {
	const setNoNewPrivs, getNoNewPrivs, setSeccomp = 38, 39, 22
	call(syscall.SYS_PRCTL, setNoNewPrivs, 0)
	call(syscall.SYS_PRCTL, setSeccomp, 0)
	if on, err := call(syscall.SYS_PRCTL, getNoNewPrivs); on != 1 {
		got("no_new_privs is %d, %v", on, err)
	}
	if mode := statusOf("Seccomp"); mode != "2" {
		got("Seccomp is %s", mode)
	}
	say("looked", "no_new_privs and seccomp")
}
