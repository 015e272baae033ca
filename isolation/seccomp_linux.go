package isolation

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// The families of sockets that a job can open: UNIX, IPv4, IPv6 and netlink, which
// is how programs list interfaces. Of the forty others the kernel loads most for
// whoever asks, and few are as well looked after.
var socketFamilies = []uint64{1, 2, 10, 16}

// enosys is ENOSYS on every architecture that engines have but MIPS.
const enosys = 38

// strictSeccomp is the newest built-in profile of Docker's, in the engine's JSON,
// with three changes:
//   - socket is for socketFamilies alone.
//   - socketcall is ENOSYS. It has its arguments in memory, where no filter sees
//     them, so that 32-bit programs, and 64-bit ones that make 32-bit calls, open
//     sockets of any family by it. Programs that know the newer calls make those.
//     A rule is needed: without one libseccomp allows part of it beside socket.
//   - The x32 calls, which few kernels have, are not there: their part of the
//     filter would make a short run 3 % longer.
var strictSeccomp = sync.OnceValue(func() string {
	profile := seccomp.DefaultProfile()
	for i, arch := range profile.ArchMap {
		profile.ArchMap[i].SubArches = slices.DeleteFunc(arch.SubArches, func(sub specs.Arch) bool { return sub == specs.ArchX32 })
	}
	for _, rule := range profile.Syscalls {
		rule.Names = slices.DeleteFunc(rule.Names, func(name string) bool { return name == "socket" || name == "socketcall" })
	}
	profile.Syscalls = slices.DeleteFunc(profile.Syscalls, func(rule *seccomp.Syscall) bool { return len(rule.Names) == 0 })
	add := func(call specs.LinuxSyscall) {
		profile.Syscalls = append(profile.Syscalls, &seccomp.Syscall{LinuxSyscall: call})
	}
	for _, family := range socketFamilies {
		is := specs.LinuxSeccompArg{Index: 0, Value: family, Op: specs.OpEqualTo}
		add(specs.LinuxSyscall{Names: []string{"socket"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{is}})
	}
	no := uint(enosys)
	add(specs.LinuxSyscall{Names: []string{"socketcall"}, Action: specs.ActErrno, ErrnoRet: &no})
	text, err := json.Marshal(profile)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	return string(text)
})
