package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// peak measures how far the resident memory of this process grows, by the
// kernel's own high-water mark (proc_pid_clear_refs(5)).
type peak struct{ before int64 }

func startPeak() (peak, error) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return peak{}, err
	}
	before, err := statusBytes("VmRSS")
	return peak{before}, err
}

func (p peak) growth() (int64, error) {
	high, err := statusBytes("VmHWM")
	return high - p.before, err
}

// statusBytes reads a line such as "VmRSS:  1234 kB".
func statusBytes(name string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			kb, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", name)
}
