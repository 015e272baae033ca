package isolation

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func parsed(t *testing.T) (profile seccomp.Seccomp) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(strictSeccomp()), &profile))
	return profile
}

func TestStrictSeccomp(t *testing.T) {
	profile := parsed(t)
	require.Equal(t, specs.ActErrno, profile.DefaultAction)
	always := func(name string) (rules []*seccomp.Syscall) {
		for _, rule := range profile.Syscalls {
			if slices.Contains(rule.Names, name) && (rule.Includes == nil || len(rule.Includes.Caps) == 0) {
				rules = append(rules, rule)
			}
		}
		return rules
	}
	for _, name := range []string{"io_uring_setup", "userfaultfd", "bpf", "keyctl", "add_key", "mount", "unshare", "setns", "perf_event_open"} {
		require.Empty(t, always(name), name)
	}
	require.NotEmpty(t, always("read"))
	for _, name := range append([]string{"socketcall"}, aio...) {
		require.Len(t, always(name), 1)
		require.Equal(t, specs.ActErrno, always(name)[0].Action)
		require.Equal(t, uint(enosys), *always(name)[0].ErrnoRet)
	}
	for _, arch := range profile.ArchMap {
		require.NotContains(t, arch.SubArches, specs.ArchX32)
	}
}

// conditions are the arguments with which the profile allows a call, each rule's.
func conditions(t *testing.T, name string) (rules [][]specs.LinuxSeccompArg) {
	t.Helper()
	for _, rule := range parsed(t).Syscalls {
		if slices.Contains(rule.Names, name) {
			require.NotEmpty(t, rule.Args, "%s is allowed whatever its arguments", name)
			if rule.Action == specs.ActAllow {
				rules = append(rules, rule.Args)
			}
		}
	}
	return rules
}

// through tells whether one of the rules lets a call through.
func through(t *testing.T, rules [][]specs.LinuxSeccompArg, args ...uint64) bool {
	return slices.ContainsFunc(rules, func(rule []specs.LinuxSeccompArg) bool {
		return !slices.ContainsFunc(rule, func(a specs.LinuxSeccompArg) bool { return !matches(t, a, args) })
	})
}

// matches is what libseccomp compiles a condition to.
func matches(t *testing.T, a specs.LinuxSeccompArg, args []uint64) bool {
	t.Helper()
	switch a.Op {
	case specs.OpEqualTo:
		return args[a.Index] == a.Value
	case specs.OpMaskedEqual:
		return args[a.Index]&a.Value == a.ValueTwo
	}
	require.Failf(t, "unknown", "operator %s", a.Op)
	return false
}

// Whatever the numbers, only these sockets come through.
func TestSocketRules(t *testing.T) {
	socket, pair := conditions(t, "socket"), conditions(t, "socketpair")
	const stream, datagram, raw, cloexec, nonblock = 1, 2, 3, 1 << 19, 1 << 11
	usual := map[uint64][]uint64{2: {0, 1, 6, 17, 262}, 10: {0, 6, 17, 58, 262}, 16: {0}}
	for family := range uint64(70) {
		for kind := range uint64(16) {
			for protocol := range uint64(300) {
				want := family == 1 || kind <= raw && slices.Contains(usual[family], protocol)
				if through(t, socket, family, kind, protocol) != want {
					t.Errorf("socket(%d, %d, %d): want allowed %t", family, kind, protocol, want)
				}
			}
			require.Equal(t, family == 1, through(t, pair, family, kind, 0), "socketpair(%d, %d)", family, kind)
		}
	}
	require.True(t, through(t, socket, 2, stream|cloexec|nonblock, 6))
	require.True(t, through(t, pair, 1, datagram|cloexec, 0))
	for _, high := range []uint64{1 << 32, 1 << 63} {
		require.False(t, through(t, socket, 2|high, stream, 0))
		require.False(t, through(t, socket, 2, stream, 0|high))
		require.False(t, through(t, pair, 1|high, stream, 0))
	}
}

// Whatever the number, no command of a lock that belongs to an open file comes through,
// and none of the others is lost.
func TestFcntlRules(t *testing.T) {
	for _, name := range []string{"fcntl", "fcntl64"} {
		rules := conditions(t, name)
		for command := range uint64(1100) {
			known := command <= 17 || command >= 1024 && command < 1056
			require.Equal(t, known, through(t, rules, 3, command), "%s(3, %d)", name, command)
		}
		for _, high := range []uint64{1 << 32, 1 << 63} {
			require.False(t, through(t, rules, 3, 37|high))
		}
	}
}

// A new version of its source is seen in review.
func TestGoldenSeccomp(t *testing.T) {
	want, err := os.ReadFile("testdata/seccomp.json")
	require.NoError(t, err)
	got := asJSON(t, json.RawMessage(strictSeccomp()))
	require.Equal(t, string(want), got, "if this change is meant, change the file by hand")
}

func TestSeccompOption(t *testing.T) {
	own := "seccomp=" + strictSeccomp()
	for want, p := range map[string]Preset{
		"": {}, own: {StrictSeccomp: true}, "seccomp=builtin": {BuiltinSeccomp: true},
	} {
		options := append(p.HostConfig().SecurityOpt, "")
		require.Equal(t, []string{"no-new-privileges", want}, options[:2])
	}
	require.Equal(t, []string{"no-new-privileges", own}, Preset{StrictSeccomp: true, BuiltinSeccomp: true}.HostConfig().SecurityOpt)
}
