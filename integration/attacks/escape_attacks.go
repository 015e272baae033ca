package attacks

import (
	"fmt"
	"os"
)

var mountAttacks = []Attack{
	by("mounts file systems and binds /proc elsewhere", "no mount is made", "mount"),
	by("remounts /, /proc/sys, /sys and others writable, and shares its mounts", "no mount changes", "remount"),
	by("copies the tree of mounts and opens a file system by the newer calls", "no descriptor of a mount", "new-mount-api").harmless(),
	by("unmounts what hides parts of /proc and /sys", "nothing is uncovered", "unmount"),
	by("makes /tmp the root", "the root stays", "pivot-root"),
	by("leaves by a root directory of its own", "no other root directory", "chroot").harmless(),
	by("opens files of the engine's disk by their numbers", "no file is opened", "open-by-handle").harmless(),
}

var namespaceAttacks = []Attack{
	by("makes a user namespace, by clone and by clone3", "no namespace in which it is root", "user-namespace").harmless(),
	by("makes namespaces of every other kind, by unshare and by clone", "no other namespace", "namespaces").harmless(),
	by("enters the namespaces of every process that it sees", "no namespace is entered", "setns"),
	by("makes cgroups and writes their files, release_agent among them", "no cgroup and no open file", "cgroups"),
	by("looks for a process with another root directory", "all have its own", "other-roots"),
	by("looks for descriptors of the host that the runtime left open (CVE-2024-21626)", "none leads to a file or directory", "descriptors"),
	{
		Name:  "workdir",
		Tries: "has a descriptor of the runtime as its working directory (CVE-2024-21626)",
		Seen:  "no run, or a directory in the container",
		try: func(a *attackEnv) (won []string) {
			for _, fd := range []int{7, 8, 9} {
				j := a.job("descriptors")
				j.WorkDir = fmt.Sprintf("/proc/self/fd/%d", fd)
				res, err := a.run(a.ctx, j)
				a.t.Logf("%s: %v\n%s", j.WorkDir, err, res.Logs)
				if err == nil && res.ExitCode == 0 {
					won = append(won, a.parse(string(res.Logs), true)["got"]...)
				}
			}
			return won
		},
	},
}

var fileAttacks = []Attack{
	by("opens every device in /dev, and memory, disks, kvm and fuse by name", "none opens but null, zero, full, random and the like", "devices").
		onGVisor("fuse and tun are of its own kernel, and lead to nothing of the host's"),
	by("makes device nodes for memory, consoles and disks, the engine's own too", "no node that opens", "mknod"),
	by("opens every file of /proc, sysctls and sysrq-trigger among them, for writing", "none opens", "write-proc"),
	by("opens every file of /sys for writing", "none opens", "write-sys"),
	by("writes in /, /etc, /bin and over its own program and /etc/hosts", "nothing is written, although the image allows it", "write-root"),
	by("writes over the init, which is the engine's own file (CVE-2019-5736)", "none opens for writing", "write-init"),
	by("sets a program for the kernel to run on a crash", "core_pattern does not open", "core-pattern"),
	by("raises its limit and crashes", "no core dump", "core-dump"),
}

var callAttacks = []Attack{
	{
		Name: "ptrace", Tries: "seizes every process by number, and this test's by its own", Seen: "no process is seized",
		try: func(a *attackEnv) []string { return a.wins(a.job("ptrace", fmt.Sprint(os.Getpid()))) },
	},
	by("adds a key and uses the keyrings of the user", "no key, which all runs would share", "keyring").harmless(),
	by("makes a bpf map and loads a program", "no descriptor", "bpf").harmless(),
	by("sets up a ring of io_uring", "no ring", "io-uring").harmless(),
	by("makes a userfaultfd, which wins races in the kernel", "no descriptor", "userfaultfd").harmless(),
	by("counts events of a process and of a CPU", "no descriptor", "perf").harmless(),
	by("loads and unloads kernel modules", "no module", "modules"),
	by("boots another kernel, reboots, swaps, accounts", "no privilege for any of these", "kexec-reboot"),
	by("sets the clock and the host name", "neither is set", "clock-and-name"),
	by("opens raw sockets and packet sockets", "no socket", "raw-sockets").harmless(),
	by("opens a socket of AF_ALG (CVE-2026-31431)", "no socket", "af-alg").harmless(),
	by("opens a socket of AF_VSOCK, to the hypervisor", "no socket", "af-vsock").harmless(),
	by("opens sockets of all families but UNIX, IPv4, IPv6 and netlink", "no socket", "socket-families"),
	by("opens AF_ALG and AF_VSOCK by the 32-bit socketcall, whose arguments are in memory, where no filter sees them", "no socket", "socketcall").harmless(),
}

var privilegeAttacks = []Attack{
	by("becomes user 0 and group 0, and gives a file away", "no other identity", "setuid-calls"),
	by("executes a setuid file of root's in the image", "the identity stays", "setuid-file"),
	by("executes a file with all capabilities in the image", "no capability", "file-capabilities"),
	by("raises capabilities, ambient ones too", "every set is empty", "capabilities"),
	by("takes off no_new_privs and its seccomp filter", "both stay", "filters-off"),
}
