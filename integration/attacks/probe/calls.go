//go:build linux && (amd64 || arm64)

package probe

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

func init() {
	modes["ptrace"] = ptrace
	modes["keyring"] = keyring
	modes["bpf"] = bpf
	modes["io-uring"] = func([]string) {
		params := [120]byte{}
		try("a ring", failed(call(sysIOUringSetup, 1, addr(&params))))
	}
	modes["aio"] = func([]string) {
		var context uint64
		try("a context", failed(call(syscall.SYS_IO_SETUP, 1, addr(&context))))
	}
	modes["userfaultfd"] = func([]string) {
		const userModeOnly = 1
		try("a descriptor", failed(call(sysUserfaultfd, 0)))
		try("a descriptor for user mode", failed(call(sysUserfaultfd, userModeOnly)))
	}
	modes["perf"] = perf
	modes["modules"] = modules
	modes["kexec-reboot"] = func([]string) {
		tryPrivilege("another kernel", failed(call(syscall.SYS_KEXEC_LOAD, 0, 0, 0, 0xffff0000)))
		tryPrivilege("a reboot", failed(call(syscall.SYS_REBOOT, 0, 0, 0, 0)))
		tryPrivilege("more swap", failed(call(syscall.SYS_SWAPON, cString("/nowhere"), 0)))
		tryPrivilege("process accounting", failed(call(syscall.SYS_ACCT, cString("/nowhere"))))
	}
	modes["clock-and-name"] = func([]string) {
		var now syscall.Timeval
		must(syscall.Gettimeofday(&now))
		try("the clock", syscall.Settimeofday(&now))
		try("the host name", syscall.Sethostname([]byte("attack")))
	}
	modes["kernel-log"] = func([]string) {
		const readAll = 3
		buffer := [4096]byte{}
		try("the kernel log", failed(call(syscall.SYS_SYSLOG, readAll, addr(&buffer), 4096)))
	}
}

// ptrace attaches to every process but its own. PTRACE_SEIZE stops none of them.
func ptrace(args []string) {
	const seize = 0x4206
	var refused int
	for _, id := range processIDs(args) {
		if isOwnThread(id) {
			continue
		}
		if _, err := call(syscall.SYS_PTRACE, seize, uintptr(id), 0, 0); err == nil {
			got("process %d", id)
		} else {
			refused++
		}
	}
	say("denied", "%d process IDs", refused)
}

// processIDs returns the arguments that are numbers, and then all likely process IDs
// but 1.
func processIDs(args []string) (ids []int) {
	for _, arg := range args {
		if id, err := strconv.Atoi(arg); err == nil {
			ids = append(ids, id)
		}
	}
	for id := 2; id < 1<<16; id++ {
		ids = append(ids, id)
	}
	return ids
}

func isOwnThread(id int) bool {
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(id))
	return err == nil
}

const (
	processKeyring = ^uintptr(1) // -2
	userKeyring    = ^uintptr(3) // -4
)

func keyring([]string) {
	const getID, join = 0, 1
	try("a key", failed(call(syscall.SYS_ADD_KEY, cString("user"), cString("attack"), cString("secret"), 6, processKeyring)))
	try("the keyring of the user", failed(call(syscall.SYS_KEYCTL, getID, userKeyring, 1)))
	try("a session keyring", failed(call(syscall.SYS_KEYCTL, join, 0)))
}

func bpf([]string) {
	const mapCreate, progLoad, array, socketFilter = 0, 5, 2, 1
	table := [12]uint32{array, 4, 4, 1}
	try("a map", failed(call(sysBPF, mapCreate, addr(&table), 48)))
	code := [2]uint64{0xb7, 0x95} // r0 = 0; exit
	license := [4]byte{'G', 'P', 'L'}
	program := struct {
		kind, length  uint32
		code, license uint64
		rest          [24]byte
	}{kind: socketFilter, length: 2, code: uint64(addr(&code)), license: uint64(addr(&license))}
	try("a program", failed(call(sysBPF, progLoad, addr(&program), 48)))
}

func perf([]string) {
	const software, size, excludeKernel = 1, 64, 1 << 5
	attr := [8]uint64{0: software | size<<32, 5: excludeKernel}
	minus1 := ^uintptr(0)
	try("a counter for itself", failed(call(syscall.SYS_PERF_EVENT_OPEN, addr(&attr), 0, minus1, minus1, 0)))
	try("a counter for a CPU", failed(call(syscall.SYS_PERF_EVENT_OPEN, addr(&attr), minus1, 0, minus1, 0)))
}

func modules([]string) {
	image := [64]byte{0x7f, 'E', 'L', 'F'}
	tryPrivilege("a module", failed(call(syscall.SYS_INIT_MODULE, addr(&image), unsafe.Sizeof(image), cString(""))))
	fd, err := call(sysMemfdCreate, cString("module"), 0)
	if err != nil {
		say("broken", "memfd: %v", err)
		return
	}
	tryPrivilege("a module from a file", failed(call(sysFinitModule, uintptr(fd), cString(""), 0)))
	tryPrivilege("the removal of a module", failed(call(syscall.SYS_DELETE_MODULE, cString("no_such_module"), syscall.O_NONBLOCK)))
}
