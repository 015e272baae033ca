package isolation

import (
	"encoding/json"
	"slices"
	"sync"
	"syscall"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// sockets are the sockets that a job can open, by family and protocol; nil = any
// protocol. The kernel loads most of the forty other families, and most other
// protocols, for whoever asks, and few are as well looked after.
var sockets = []struct {
	family    uint64
	protocols []uint64
}{
	{syscall.AF_UNIX, nil},
	{syscall.AF_INET, []uint64{0, syscall.IPPROTO_TCP, syscall.IPPROTO_UDP, syscall.IPPROTO_ICMP, mptcp}},
	{syscall.AF_INET6, []uint64{0, syscall.IPPROTO_TCP, syscall.IPPROTO_UDP, syscall.IPPROTO_ICMPV6, mptcp}},
	// Programs list interfaces by it. The generic protocol and the one for statistics
	// load further modules by name, some of them families of sockets.
	{syscall.AF_NETLINK, []uint64{syscall.NETLINK_ROUTE}},
}

const (
	// mptcp is IPPROTO_MPTCP, with which servers written in Go listen.
	mptcp = 262
	// oddTypes are the bits of a socket's type that are 0 for streams, datagrams and
	// raw sockets. Other types of protocol 0 would be SCTP and DCCP.
	oddTypes = 0xc
)

// aio are the calls of Linux's asynchronous I/O. Contexts of it are counted over the
// whole host (fs.aio-max-nr): one run could take all of them.
var aio = []string{
	"io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents", "io_pgetevents_time64",
}

// Errors of rules, as they are on every architecture that engines have but MIPS.
const (
	einval = 22
	enosys = 38
)

// strictSeccomp is the newest built-in profile of Docker's, in the engine's JSON,
// with these changes:
//   - socket is for sockets alone.
//   - socketpair is for the family UNIX alone. No other family that a job needs has
//     pairs, and TIPC, which has, would be loaded for whoever asks.
//   - socketcall is ENOSYS. It has its arguments in memory, where no filter sees
//     them, so that 32-bit programs, and 64-bit ones that make 32-bit calls, open
//     sockets of any family by it. Programs that know the newer calls make those.
//     A rule is needed: without one libseccomp allows part of it beside socket.
//   - fcntl has no locks that belong to an open file. /proc/locks shows those to
//     everybody, so that runs could talk to each other by them. EINVAL is what kernels
//     before 3.15 say.
//   - Asynchronous I/O is ENOSYS, as in a kernel without it.
//   - The x32 calls, which few kernels have, are not there: their part of the
//     filter would make a short run 3 % longer.
//
// No other call takes a family or a protocol.
var strictSeccomp = sync.OnceValue(func() string {
	profile := seccomp.DefaultProfile()
	for i, arch := range profile.ArchMap {
		profile.ArchMap[i].SubArches = slices.DeleteFunc(arch.SubArches, func(sub specs.Arch) bool { return sub == specs.ArchX32 })
	}
	ours := slices.Concat(socketRules(), fcntlRules(), []*seccomp.Syscall{refused(enosys, aio...)})
	for _, rule := range profile.Syscalls {
		rule.Names = slices.DeleteFunc(rule.Names, func(name string) bool {
			return slices.ContainsFunc(ours, func(own *seccomp.Syscall) bool { return slices.Contains(own.Names, name) })
		})
	}
	profile.Syscalls = slices.DeleteFunc(profile.Syscalls, func(rule *seccomp.Syscall) bool { return len(rule.Names) == 0 })
	profile.Syscalls = append(profile.Syscalls, ours...)
	text, err := json.Marshal(profile)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	return string(text)
})

// socketRules are the rules for the calls that make sockets. What none of them allows
// is EPERM.
func socketRules() (rules []*seccomp.Syscall) {
	for _, s := range sockets {
		if s.protocols == nil {
			rules = append(rules, allowed([]string{"socket"}, is(0, s.family)))
		}
		for _, protocol := range s.protocols {
			rules = append(rules, allowed([]string{"socket"}, is(0, s.family), masked(1, oddTypes, 0), is(2, protocol)))
		}
	}
	return append(rules, allowed([]string{"socketpair"}, is(0, syscall.AF_UNIX)), refused(enosys, "socketcall"))
}

// fcntlRules allow the commands that there are, in three ranges, but 36 to 38, those of
// locks that belong to an open file.
func fcntlRules() []*seccomp.Syscall {
	names := []string{"fcntl", "fcntl64"} // the second is that of 32-bit programs
	locks := refused(einval, names...)
	locks.Args = []specs.LinuxSeccompArg{masked(1, ^uint64(3), 36)}
	return []*seccomp.Syscall{
		allowed(names, masked(1, ^uint64(15), 0)),    // POSIX, and signals
		allowed(names, masked(1, ^uint64(1), 16)),    // by whom a descriptor is owned
		allowed(names, masked(1, ^uint64(31), 1024)), // Linux's own
		locks,
	}
}

func allowed(names []string, args ...specs.LinuxSeccompArg) *seccomp.Syscall {
	return &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{Names: names, Action: specs.ActAllow, Args: args}}
}

func refused(errno uint, names ...string) *seccomp.Syscall {
	return &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{Names: names, Action: specs.ActErrno, ErrnoRet: &errno}}
}

func is(index uint, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Value: value, Op: specs.OpEqualTo}
}

func masked(index uint, mask, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Value: mask, ValueTwo: value, Op: specs.OpMaskedEqual}
}
