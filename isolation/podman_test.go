package isolation

import (
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"
)

func maximalPodman() Preset {
	p := maximal()
	p.Podman, p.StrictSeccomp, p.BuiltinSeccomp = true, true, true
	p.SeccompFile = "/var/lib/containers/storage/volumes/vol/_data/seccomp.json"
	return p
}

// Podman refuses options that it does not know and those that come twice, and has
// directories of its own where there is nothing of ours.
func TestPodmanTmpfs(t *testing.T) {
	const none = "ro,size=4096,mode=0755,nosuid,nodev,noexec,notmpcopyup"
	h := Preset{Podman: true, Tmpfs: map[string]string{"/data": "", "/tmp": "suid,dev,exec,mode=0755,size=1k,nr_inodes=5,uid=0"}}.HostConfig()
	require.Equal(t, map[string]string{
		"/data": "mode=1777,nosuid,nodev,notmpcopyup", "/tmp": "exec,size=1k,mode=1777,nosuid,nodev,notmpcopyup",
		"/run": none, "/run/secrets": none, "/var/tmp": none,
	}, h.Tmpfs)

	h = Preset{Podman: true, Mounts: []mount.Mount{Part("/vol/run", "/run"), Part("/vol/tmp", "/tmp")}}.HostConfig()
	require.Equal(t, map[string]string{"/run/secrets": none, "/var/tmp": none}, h.Tmpfs)
}

// Without a limit of ours Podman has one of its own. It takes a seccomp profile as a file.
func TestPodmanLimitsAndSeccomp(t *testing.T) {
	h := Preset{Podman: true, StrictSeccomp: true, BuiltinSeccomp: true}.HostConfig()
	require.EqualValues(t, -1, *h.PidsLimit)
	require.Equal(t, []string{"no-new-privileges"}, h.SecurityOpt)
	h = Preset{Podman: true, PidsLimit: 5, SeccompFile: "/x"}.HostConfig()
	require.EqualValues(t, 5, *h.PidsLimit)
	require.Equal(t, []string{"no-new-privileges", "seccomp=/x"}, h.SecurityOpt)
	require.Equal(t, []string{"no-new-privileges"}, Preset{SeccompFile: "/x"}.HostConfig().SecurityOpt, "for Podman alone")
}
