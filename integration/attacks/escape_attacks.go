package attacks

import (
	"fmt"
	"os"
)

var mountAttacks = []Attack{
	probeAttack("mount", "mounts filesystems, and bind-mounts /proc at another place", "no mount succeeds"),
	probeAttack("remount", "remounts /, /proc/sys, /sys and others writable, and shares its mounts with the host", "no mount changes"),
	probeAttack("new-mount-api", "clones the mount tree and opens a filesystem with the newer system calls", "no descriptor of a mount").triedOutside(),
	probeAttack("unmount", "unmounts what masks parts of /proc and /sys", "nothing is uncovered"),
	probeAttack("pivot-root", "makes /tmp the root with pivot_root", "the root stays"),
	probeAttack("chroot", "changes its root directory", "the root directory stays").triedOutside(),
	probeAttack("open-by-handle", "opens files on the engine's disk by file handle", "no file opens").triedOutside(),
}

var namespaceAttacks = []Attack{
	probeAttack("user-namespace", "creates a user namespace with clone and with clone3", "no namespace in which it is root").triedOutside(),
	probeAttack("namespaces", "creates namespaces of every other kind with unshare and with clone", "no new namespace").triedOutside(),
	probeAttack("setns", "enters the namespaces of every process that it sees", "it enters none"),
	probeAttack("cgroups", "creates cgroups and opens their files for writing, release_agent among them", "no new cgroup, and no file opens"),
	probeAttack("other-roots", "looks for a process with another root directory", "all processes have its own root directory"),
	probeAttack("descriptors", "looks for host descriptors that the runtime left open (CVE-2024-21626)", "none leads to a file or a directory"),
	{
		Name:     "workdir",
		Tries:    "uses a descriptor of the runtime as its working directory (CVE-2024-21626)",
		Expected: "no run, or a directory inside the container",
		attempt: func(e *attackEnv) (got []string) {
			for _, fd := range []int{7, 8, 9} {
				j := e.job("descriptors")
				j.WorkDir = fmt.Sprintf("/proc/self/fd/%d", fd)
				res, err := e.run(e.ctx, j)
				e.logf("%s: %v\n%s", j.WorkDir, err, res.Logs)
				if err == nil && res.ExitCode == 0 {
					got = append(got, e.report(res.Logs)["got"]...)
				}
			}
			return got
		},
	},
}

var fileAttacks = []Attack{
	probeAttack("devices", "opens every device in /dev, and memory, disks, kvm and fuse by name", "only null, zero, full, random and the like open").
		knownHoleOfGVisor("fuse and tun belong to its own kernel and reach nothing on the host"),
	probeAttack("mknod", "creates device nodes for memory, consoles and disks, the engine's own disk among them", "no node opens"),
	probeAttack("write-proc", "opens every file in /proc for writing, sysctls and sysrq-trigger among them", "no file opens"),
	probeAttack("write-sys", "opens every file in /sys for writing", "no file opens"),
	probeAttack("write-root", "writes to /, /etc, /bin, its own program and /etc/hosts", "no write succeeds, although the image allows all"),
	probeAttack("write-init", "overwrites the init, which is a file of the engine (CVE-2019-5736)", "it does not open for writing"),
	probeAttack("core-pattern", "sets a program for the kernel to run on a crash", "core_pattern does not open for writing"),
	probeAttack("core-dump", "raises its core limit and crashes", "no core dump"),
}

var callAttacks = []Attack{
	{
		Name: "ptrace", Tries: "traces every process by its number, and this process by its number on the host", Expected: "it traces none",
		attempt: func(e *attackEnv) []string { return e.got(e.job("ptrace", fmt.Sprint(os.Getpid()))) },
	},
	probeAttack("keyring", "adds a key and uses the keyrings of its user", "no key, since all runs would share it").triedOutside(),
	probeAttack("bpf", "creates a BPF map and loads a BPF program", "no descriptor").triedOutside(),
	probeAttack("io-uring", "sets up an io_uring", "no ring").triedOutside(),
	probeAttack("aio", "sets up asynchronous I/O, of which the whole host has a limited number", "no context").triedOutside(),
	probeAttack("userfaultfd", "creates a userfaultfd, which helps to win races in the kernel", "no descriptor").triedOutside(),
	probeAttack("perf", "counts events of a process and of a CPU", "no descriptor").triedOutside(),
	probeAttack("modules", "loads and unloads kernel modules", "no privilege for either"),
	probeAttack("kexec-reboot", "loads another kernel, reboots, adds swap, starts process accounting", "no privilege for any of these"),
	probeAttack("clock-and-name", "sets the clock and the host name", "both stay"),
	probeAttack("raw-sockets", "opens raw sockets and packet sockets", "no socket").triedOutside(),
	probeAttack("af-alg", "opens a socket of AF_ALG (CVE-2026-31431)", "no socket").triedOutside(),
	probeAttack("af-vsock", "opens a socket of AF_VSOCK, which leads to the hypervisor", "no socket").triedOutside(),
	probeAttack("socket-families", "asks for sockets of every family except UNIX, IPv4, IPv6 and netlink, and for pairs of every family except UNIX", "the filter refuses each, whether the kernel has the family or not"),
	probeAttack("socket-protocols", "asks for IPv4, IPv6 and netlink sockets of every type and protocol that jobs do not need", "the filter refuses each, whether the kernel has the protocol or not"),
	probeAttack("socketcall", "opens sockets of AF_ALG and AF_VSOCK with the 32-bit socketcall, whose arguments no filter sees, and of AF_ALG and AF_TIPC with the other 32-bit calls", "no socket").triedOutside(),
}

var privilegeAttacks = []Attack{
	probeAttack("setuid-calls", "becomes user 0 and group 0, and gives a file to root", "its identity stays"),
	probeAttack("setuid-file", "executes a setuid root program of the image", "its identity stays"),
	probeAttack("file-capabilities", "executes a program of the image that has all file capabilities", "no capability"),
	probeAttack("capabilities", "raises capabilities, ambient ones too", "every capability set is empty"),
	probeAttack("filters-off", "turns off no_new_privs and its seccomp filter", "both stay"),
}
