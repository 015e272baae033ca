// Package owner marks what a run makes on the engine, and tells of a mark whether
// its run, or its process, is still there.
package owner

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Process is a process, in a form that a process of the same place can recognize.
type Process struct {
	place   string // boot ID, PID namespace, time namespace; or noPlace
	pid     int
	start   string // in clock ticks since boot, as /proc tells
	program string // see programOf; "" = not known
	load    string // random: a process can hold this package twice
}

// noPlace is where nobody can see a process, such as everywhere outside Linux.
const noPlace = "unknown"

func (o Process) String() string {
	program := o.program
	if program != "" {
		program += "/"
	}
	return fmt.Sprintf("%s/%d/%s/%s%s", o.place, o.pid, o.start, program, o.load)
}

var ownerText = regexp.MustCompile(`^(unknown|[0-9a-f-]{36}/[0-9]+/[0-9]+)/([0-9]+)/([0-9]+)/(?:([0-9a-f]{16})/)?([0-9a-f]{32})$`)

// parse is the reverse of String; false = unknown.
func parse(text string) (Process, bool) {
	m := ownerText.FindStringSubmatch(text)
	if m == nil {
		return Process{}, false
	}
	pid, err := strconv.Atoi(m[2])
	return Process{place: m[1], pid: pid, start: m[3], program: m[4], load: m[5]}, err == nil
}

// Self is this process.
var Self = sync.OnceValue(func() Process {
	nobody := Process{place: noPlace, start: "0", load: RandomID()}
	me, err := os.Readlink("/proc/self")
	if err != nil || me != strconv.Itoa(os.Getpid()) {
		return nobody // no /proc, or that of another PID namespace
	}
	boot, bootErr := os.ReadFile("/proc/sys/kernel/random/boot_id")
	pids, pidsErr := namespace("pid")
	times, timesErr := namespace("time")
	stat, statErr := readStat(os.Getpid())
	if errors.Join(bootErr, pidsErr, timesErr, statErr) != nil {
		return nobody
	}
	place := strings.Join([]string{strings.TrimSpace(string(boot)), pids, times}, "/")
	return Process{place: place, pid: os.Getpid(), start: stat.start, program: programOf(os.Getpid()), load: nobody.load}
})

// namespace returns the inode of a namespace of this process, "0" for a kind
// that the kernel does not have.
func namespace(kind string) (string, error) {
	link, err := os.Readlink("/proc/self/ns/" + kind)
	if errors.Is(err, os.ErrNotExist) {
		return "0", nil
	}
	return strings.Trim(link, kind+":[]"), err
}

// seenBy tells whether me can find out if o runs.
func (o Process) seenBy(me Process) bool { return o.place == me.place && o.place != noPlace }

// runs tells whether o, which this process can see, is still there. In doubt it is.
func (o Process) runs() bool {
	stat, err := readStat(o.pid)
	if err == nil {
		return stat.start == o.start && !stat.ended && o.executes()
	}
	// Under hidepid a process of another user is not in /proc, but there.
	process, err := os.FindProcess(o.pid)
	if err != nil {
		return true
	}
	err = process.Signal(syscall.Signal(0))
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH)
}

// executes tells whether o, which has the PID that it had, has not replaced itself by
// another program, or by itself. In doubt it has not.
func (o Process) executes() bool {
	now := programOf(o.pid)
	return o.program == "" || now == "" || now == o.program
}

// programOf is a digest of what the kernel told a program at its start, see
// getauxval(3): above all of addresses, which it chooses anew for every exec, unless
// somebody has switched that off. It is "" for what this process may not read, for a
// process without memory, and in the moment before the kernel has written it.
func programOf(pid int) string {
	told, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil || len(bytes.Trim(told, "\x00")) == 0 {
		return ""
	}
	sum := sha256.Sum256(told)
	return hex.EncodeToString(sum[:8])
}

type procStat struct {
	start string
	ended bool // a zombie: nobody has waited for it
}

// readStat reads /proc/PID/stat, see proc_pid_stat(5). The second field, a name
// in parentheses, can hold anything.
func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return procStat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	state, threads, start := fields[0], fields[17], fields[19] // numbers 3, 20 and 22
	return procStat{start: start, ended: state == "X" || state == "Z" && threads <= "1"}, nil
}
