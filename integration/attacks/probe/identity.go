//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func init() {
	modes["serials"] = serials
	modes["device-serials"] = deviceSerials
	modes["host-counters"] = hostCounters
	modes["uevents"] = uevents
}

// serials reads what identifies this machine.
func serials([]string) {
	for _, path := range []string{
		"/etc/machine-id", "/var/lib/dbus/machine-id",
		"/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/product_serial", "/sys/class/dmi/id/board_serial", "/sys/class/dmi/id/chassis_serial",
	} {
		reveals(path)
	}
}

// deviceSerials reads what identifies its parts, this boot, and how it was booted.
func deviceSerials([]string) {
	reveals("/proc/sys/kernel/random/boot_id")
	reveals("/proc/cmdline")
	names := []string{"serial", "serial_number", "wwid", "wwn", "uuid", "eui", "nguid", "unique_id", "cid", "vpd_pg80", "vpd_pg83"}
	var files int
	filepath.WalkDir("/sys/devices", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
			if slices.Contains(names, d.Name()) {
				reveals(path)
			}
		}
		return nil
	})
	say("looked", "%d files of devices", files)
}

// hostCounters reads what counts the events of the whole machine.
func hostCounters([]string) {
	pressure, _ := filepath.Glob("/proc/pressure/*")
	for _, path := range append(pressure, "/sys/kernel/uevent_seqnum", "/proc/diskstats", "/proc/interrupts", "/proc/softirqs", "/proc/vmstat") {
		reveals(path)
	}
}

// reveals gets what a file says, unless that is nothing, or zeros.
func reveals(path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		say("denied", "%v", err)
		return
	}
	if len(bytes.Trim(content, "0-\x00\n ")) == 0 {
		say("looked", "%s: %q", path, content)
		return
	}
	got("%s: %.100s", path, strings.TrimSpace(string(content)))
}

// uevents listens to what the kernel tells the host of its devices.
func uevents([]string) {
	const group = 1
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_KOBJECT_UEVENT)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: group})
	}
	try("the kernel's events", err)
}
