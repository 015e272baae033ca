//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup/"

// limits reads the limits of the container from its cgroup, of version 2 or 1: the
// number of CPUs, bytes of memory and of swap, and the number of processes. "max" is no
// limit. Swap is missing if the kernel does not account for it.
func limits() (map[string]string, error) {
	read := limitsV2
	if _, err := os.Stat(cgroupRoot + "cgroup.controllers"); errors.Is(err, fs.ErrNotExist) {
		read = limitsV1
	}
	facts := map[string]string{}
	for name, value := range read() {
		if value != "" {
			facts[name] = value
		}
	}
	return facts, nil
}

func limitsV2() map[string]string {
	quota, period, _ := strings.Cut(value("cpu.max"), " ")
	return map[string]string{
		"cpus":   ratio(quota, period),
		"memory": value("memory.max"),
		"swap":   value("memory.swap.max"),
		"pids":   value("pids.max"),
	}
}

func limitsV1() map[string]string {
	memory := number(value("memory/memory.limit_in_bytes"))
	facts := map[string]string{
		"cpus":   ratio(value("cpu/cpu.cfs_quota_us"), value("cpu/cpu.cfs_period_us")),
		"memory": byteCount(memory),
		"pids":   value("pids/pids.max"),
	}
	// Version 1 limits the sum of memory and swap.
	if sum := value("memory/memory.memsw.limit_in_bytes"); sum != "" {
		facts["swap"] = byteCount(number(sum))
		if memory < unlimited {
			facts["swap"] = byteCount(number(sum) - memory)
		}
	}
	return facts
}

// value returns the content of a cgroup file, or "" if there is none.
func value(file string) string {
	content, _ := os.ReadFile(cgroupRoot + file)
	return strings.TrimSpace(string(content))
}

// unlimited is less than what version 1 shows for no limit, and more than any real
// limit.
const unlimited = 1 << 60

func byteCount(n int64) string {
	if n >= unlimited {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

func ratio(quota, period string) string {
	if quota == "max" || quota == "-1" {
		return "max"
	}
	return strconv.FormatFloat(float64(number(quota))/float64(number(period)), 'g', -1, 64)
}

// number returns -1 if the text is not a number.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
