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

func TestStrictSeccomp(t *testing.T) {
	var profile seccomp.Seccomp
	require.NoError(t, json.Unmarshal([]byte(strictSeccomp()), &profile))
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
	require.Len(t, always("socketcall"), 1)
	require.Equal(t, specs.ActErrno, always("socketcall")[0].Action)
	require.Equal(t, uint(enosys), *always("socketcall")[0].ErrnoRet)
	var families []uint64
	for _, rule := range always("socket") {
		require.Equal(t, specs.ActAllow, rule.Action)
		require.Len(t, rule.Args, 1)
		require.Equal(t, specs.OpEqualTo, rule.Args[0].Op)
		families = append(families, rule.Args[0].Value)
	}
	require.Equal(t, socketFamilies, families)
	for _, arch := range profile.ArchMap {
		require.NotContains(t, arch.SubArches, specs.ArchX32)
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
