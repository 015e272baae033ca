package dockerx

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/stretchr/testify/require"
)

// A command that never ran has the status that shells give it.
func TestCommandStatus(t *testing.T) {
	const absent, refused = "ERROR (catatonit:7): failed to exec pid1: No such file or directory\n", "ERROR (catatonit:12): failed to exec pid1: Permission denied\n"
	for _, c := range []struct {
		status int
		output string
		want   int
	}{
		{1, absent, 127}, {1, refused, 126}, {1, "", 1}, {1, "said\n" + absent, 1}, {1, absent + "said\n", 1}, {0, absent, 0}, {2, absent, 2},
	} {
		require.Equal(t, c.want, Engine{Podman: true}.CommandStatus(c.status, []byte(c.output)), c.output)
		require.Equal(t, c.status, Engine{}.CommandStatus(c.status, []byte(c.output)), "Docker's init has these itself")
	}
}

func TestSeccompOf(t *testing.T) {
	for want, options := range map[string][]string{
		"":                       {"name=apparmor", "name=cgroupns"},
		"builtin":                {"name=apparmor", "name=seccomp,profile=builtin"},
		"default":                {"name=seccomp,profile=default"},
		"unconfined":             {"name=seccomp,profile=unconfined", "name=cgroupns"},
		"/etc/docker/mine.json,": {"name=seccomp,profile=/etc/docker/mine.json,"},
	} {
		require.Equal(t, want, seccompOf(options))
	}
}

func TestSeccompOfAContainer(t *testing.T) {
	for version, takes := range map[string]bool{
		"19.03.15": true, "20.10.24+dfsg1": true, "29.5.1": true, "5.4.2": false, "4.9.4-rhel": false, "dev": false, "": false,
	} {
		require.Equal(t, takes, takesProfile(version), version)
	}
	for profile, owners := range map[string]bool{
		"builtin": false, "default": false, "unconfined": false, "/etc/docker/mine.json": true, "": true,
	} {
		require.Equal(t, owners, Engine{Seccomp: profile}.OwnersSeccomp(), profile)
	}
}

func TestLimitsOf(t *testing.T) {
	all := system.Info{MemoryLimit: true, PidsLimit: true, CPUCfsPeriod: true, CPUCfsQuota: true, CgroupDriver: "systemd"}
	require.Equal(t, Limits{true, true, true}, limitsOf(all))
	require.Equal(t, Limits{}, limitsOf(system.Info{CgroupDriver: "cgroupfs"}))
	none := all
	none.CgroupDriver = "none"
	require.Equal(t, Limits{}, limitsOf(none))
	half := all
	half.CPUCfsPeriod = false
	require.Equal(t, Limits{Memory: true, PIDs: true}, limitsOf(half))
}

func TestEnforcedBy(t *testing.T) {
	e := Engine{Enforces: Limits{true, true, true}, Runtimes: map[string][]string{"runc": nil, "runsc": {"--platform=ptrace", "--ignore-cgroups"}}}
	require.Equal(t, Limits{}, e.EnforcedBy("runsc"))
	require.Equal(t, e.Enforces, e.EnforcedBy("runc"))
	require.Equal(t, e.Enforces, e.EnforcedBy(""))
	e.DefaultRuntime = "runsc"
	require.Equal(t, Limits{}, e.EnforcedBy(""))
}

// A container starts once, and only if nothing is against it.
func TestStart(t *testing.T) {
	edited := errors.New("edited")
	for name, c := range map[string]struct {
		inspect answer
		check   error
		want    error // nil = started
	}{
		"created":         {state("created", 0), nil, nil},
		"created, edited": {state("created", 0), edited, edited},
		"running":         {state("running", 0), nil, errStarted},
		"exited":          {state("exited", 0), nil, errStarted},
		"gone":            {notFound, nil, ErrGone},
	} {
		t.Run(name, func(t *testing.T) {
			var started bool
			engine := fakeEngine(t, routes{
				inspectRoute:               inTurn(c.inspect).serve,
				"POST /containers/c/start": func(w http.ResponseWriter, _ *http.Request) { started = true; w.WriteHeader(http.StatusNoContent) },
			})
			err := engine.Start(context.Background(), "c", func(container.InspectResponse) error { return c.check })
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == nil, started)
			require.Equal(t, c.check != nil, errors.Is(err, ErrUnsupported))
		})
	}
}
