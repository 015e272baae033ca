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

// enosys is ENOSYS on every architecture that engines have but MIPS.
const enosys = 38

// strictSeccomp is the newest built-in profile of Docker's, in the engine's JSON,
// with four changes:
//   - socket is for sockets alone.
//   - socketpair is for the family UNIX alone. No other family that a job needs has
//     pairs, and TIPC, which has, would be loaded for whoever asks.
//   - socketcall is ENOSYS. It has its arguments in memory, where no filter sees
//     them, so that 32-bit programs, and 64-bit ones that make 32-bit calls, open
//     sockets of any family by it. Programs that know the newer calls make those.
//     A rule is needed: without one libseccomp allows part of it beside socket.
//   - The x32 calls, which few kernels have, are not there: their part of the
//     filter would make a short run 3 % longer.
//
// No other call takes a family or a protocol.
var strictSeccomp = sync.OnceValue(func() string {
	profile := seccomp.DefaultProfile()
	for i, arch := range profile.ArchMap {
		profile.ArchMap[i].SubArches = slices.DeleteFunc(arch.SubArches, func(sub specs.Arch) bool { return sub == specs.ArchX32 })
	}
	for _, rule := range profile.Syscalls {
		rule.Names = slices.DeleteFunc(rule.Names, func(name string) bool {
			return name == "socket" || name == "socketpair" || name == "socketcall"
		})
	}
	profile.Syscalls = slices.DeleteFunc(profile.Syscalls, func(rule *seccomp.Syscall) bool { return len(rule.Names) == 0 })
	profile.Syscalls = append(profile.Syscalls, socketRules()...)
	text, err := json.Marshal(profile)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	return string(text)
})

// socketRules are the rules for the calls that make sockets. What none of them allows
// is EPERM.
func socketRules() (rules []*seccomp.Syscall) {
	allow := func(name string, args ...specs.LinuxSeccompArg) {
		rules = append(rules, &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{
			Names: []string{name}, Action: specs.ActAllow, Args: args,
		}})
	}
	is := func(index uint, value uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: index, Value: value, Op: specs.OpEqualTo}
	}
	usual := specs.LinuxSeccompArg{Index: 1, Value: oddTypes, ValueTwo: 0, Op: specs.OpMaskedEqual}
	for _, s := range sockets {
		if s.protocols == nil {
			allow("socket", is(0, s.family))
		}
		for _, protocol := range s.protocols {
			allow("socket", is(0, s.family), usual, is(2, protocol))
		}
	}
	allow("socketpair", is(0, syscall.AF_UNIX))
	no := uint(enosys)
	return append(rules, &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{
		Names: []string{"socketcall"}, Action: specs.ActErrno, ErrnoRet: &no,
	}})
}
