//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup/"

// limits reads the container's own cgroup, of version 2 or 1, in one form:
// CPUs, bytes of memory, bytes of swap, processes; "max" is no limit. Swap is
// missing where the kernel does not account for it.
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
	// Version 1 limits the sum of both.
	if sum := value("memory/memory.memsw.limit_in_bytes"); sum != "" {
		facts["swap"] = byteCount(number(sum))
		if memory < unlimited {
			facts["swap"] = byteCount(number(sum) - memory)
		}
	}
	return facts
}

// value is the content of a file of the cgroup, "" if there is none.
func value(file string) string {
	content, _ := os.ReadFile(cgroupRoot + file)
	return strings.TrimSpace(string(content))
}

// unlimited is below what version 1 shows for no limit, and above any real one.
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

// number is -1 for what is none.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
