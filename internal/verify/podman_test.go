package verify_test

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/verify"
	"github.com/synchestra-io/sandbox/isolation"
)

// samplePodman is a request to Podman that sets whatever a Preset can set there.
func samplePodman() verify.Sent {
	const data = "/var/lib/containers/storage/volumes/vol/_data"
	preset := isolation.Preset{
		NanoCPUs: 1_500_000_000, MemoryBytes: 256 << 20, PidsLimit: 64, NetworkMode: "bridge",
		Tmpfs: map[string]string{"/tmp": "exec,mode=0755,size=1048576,nr_inodes=1024"},
		Mounts: []mount.Mount{
			isolation.Bind("/srv/da:ta", "/in", true),
			isolation.Part(data+"/tree/out", "/out"),
			isolation.Volume("vol", "/workspace", nil),
		},
		FileBytes: 64 << 20, Podman: true, SeccompFile: data + "/seccomp.json",
	}
	sent := sample()
	sent.Host, sent.Podman = preset.HostConfig(), true
	sent.Config = isolation.Config("sha256:0123", []string{"go", "test"}, []string{"A=job", "HOME=/tmp"}, "", map[string]string{"run": "1"}, true)
	return sent
}

// readBackPodman is what Podman says of the container. Measured on 5.8.6.
func readBackPodman(t *testing.T, sent verify.Sent) container.InspectResponse {
	t.Helper()
	got := readBack(t, sent)
	host, config := got.HostConfig, got.Config
	host.CapDrop = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
	host.PidMode, host.UTSMode, host.Runtime = "private", "private", "oci"
	host.MaskedPaths, host.ReadonlyPaths = nil, nil
	host.CPUPeriod, host.CPUQuota = 100_000, 150_000
	zero := int64(0)
	host.MemorySwappiness = &zero
	host.Annotations = map[string]string{
		"io.container.manager": "libpod", "io.podman.annotations.init": "TRUE", "io.podman.annotations.seccomp": "/x",
		"org.opencontainers.image.stopSignal": "15", "org.systemd.property.KillSignal": "15",
	}
	for _, u := range host.Ulimits {
		u.Name = "RLIMIT_" + strings.ToUpper(u.Name)
	}
	host.Ulimits = append(host.Ulimits, &container.Ulimit{Name: "RLIMIT_NPROC", Soft: 96365, Hard: 96365})
	for path, options := range host.Tmpfs {
		host.Tmpfs[path] = strings.TrimSuffix(options, "notmpcopyup") + "rprivate"
	}
	host.Mounts = nil
	host.Binds = []string{
		"/srv/da:ta:/in:ro,rprivate,bind",
		sent.Host.Mounts[1].Source + ":/out:rslave,nosuid,nodev,bind",
		"vol:/workspace:rprivate,nosuid,nodev,rbind",
	}
	for i := range got.Mounts {
		if got.Mounts[i].Type == mount.TypeVolume {
			got.Mounts[i].Propagation = mount.PropagationRPrivate
		}
	}
	config.AttachStdin, config.AttachStdout, config.AttachStderr, config.StdinOnce = false, false, false, false
	config.Image, config.Volumes = "docker.io/library/image:tag", nil
	config.Env = append(config.Env, "container=podman", "TERM=xterm", "HOSTNAME="+config.Hostname)
	ten := 10
	config.StopTimeout = &ten
	got.Path, got.Args = "/run/podman-init", append([]string{"--", got.Path}, got.Args...)
	got.NetworkSettings.Networks = map[string]*network.EndpointSettings{"podman": {MacAddress: "ee:78:40:e9:ae:f5"}}
	return got
}

func TestPodmansWords(t *testing.T) {
	sent := samplePodman()
	require.NoError(t, verify.Container(sent, readBackPodman(t, sent)))
	sent.Podman = false
	require.Error(t, verify.Container(sent, readBackPodman(t, sent)), "no other engine has these words")

	for mode, c := range map[string]struct {
		reported string
		networks map[string]*network.EndpointSettings
	}{
		"mine": {"bridge", map[string]*network.EndpointSettings{"mine": {}}},
		"none": {"none", map[string]*network.EndpointSettings{"none": {}}},
	} {
		sent := samplePodman()
		sent.Host.NetworkMode = container.NetworkMode(mode)
		got := readBackPodman(t, sent)
		got.HostConfig.NetworkMode, got.NetworkSettings.Networks = container.NetworkMode(c.reported), c.networks
		require.NoError(t, verify.Container(sent, got), mode)
	}
}

// What is not what was sent is named, whatever words it is in.
func TestPodmanNamesWhatWasEdited(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		edit func(*container.InspectResponse)
	}{
		"a capability":         {"HostConfig.CapAdd", func(r *container.InspectResponse) { r.HostConfig.CapAdd = []string{"SYS_ADMIN"} }},
		"one that is left":     {"HostConfig.CapDrop", func(r *container.InspectResponse) { r.HostConfig.CapDrop = r.HostConfig.CapDrop[1:] }},
		"the host's processes": {"HostConfig.PidMode", func(r *container.InspectResponse) { r.HostConfig.PidMode = "host" }},
		"the host's name":      {"HostConfig.UTSMode", func(r *container.InspectResponse) { r.HostConfig.UTSMode = "host" }},
		"a runtime by name":    {"HostConfig.Runtime", func(r *container.InspectResponse) { r.HostConfig.Runtime = "crun" }},
		"a share of CPUs":      {"HostConfig.CPUQuota", func(r *container.InspectResponse) { r.HostConfig.CPUQuota = 200_000 }},
		"processes":            {"HostConfig.PidsLimit", func(r *container.InspectResponse) { *r.HostConfig.PidsLimit = 2048 }},
		"swappiness":           {"HostConfig.MemorySwappiness", func(r *container.InspectResponse) { *r.HostConfig.MemorySwappiness = 60 }},
		"no profile":           {"HostConfig.SecurityOpt", func(r *container.InspectResponse) { r.HostConfig.SecurityOpt[1] = "seccomp=unconfined" }},
		"nothing masked": {"HostConfig.SecurityOpt", func(r *container.InspectResponse) {
			r.HostConfig.SecurityOpt = append(r.HostConfig.SecurityOpt, "unmask=all")
		}},
		"few masked paths":      {"HostConfig.MaskedPaths", func(r *container.InspectResponse) { r.HostConfig.MaskedPaths = []string{"/proc/kcore"} }},
		"an annotation":         {"HostConfig.Annotations", func(r *container.InspectResponse) { r.HostConfig.Annotations["run.oci.keep_original_groups"] = "1" }},
		"an annotation's value": {"HostConfig.Annotations", func(r *container.InspectResponse) { r.HostConfig.Annotations["io.podman.annotations.init"] = "FALSE" }},
		"a file's size":         {"HostConfig.Ulimits", func(r *container.InspectResponse) { r.HostConfig.Ulimits[2].Hard++ }},
		"one limit less":        {"HostConfig.Ulimits", func(r *container.InspectResponse) { r.HostConfig.Ulimits = r.HostConfig.Ulimits[1:] }},
		"a tmpfs's option":      {"HostConfig.Tmpfs", func(r *container.InspectResponse) { r.HostConfig.Tmpfs["/tmp"] += ",suid" }},
		"a copy of the image's": {"HostConfig.Tmpfs", func(r *container.InspectResponse) { r.HostConfig.Tmpfs["/run"] += ",tmpcopyup" }},
		"one tmpfs less":        {"HostConfig.Tmpfs", func(r *container.InspectResponse) { delete(r.HostConfig.Tmpfs, "/var/tmp") }},
		"a writable mount":      {"HostConfig.Binds", func(r *container.InspectResponse) { r.HostConfig.Binds[0] = "/srv/da:ta:/in:rprivate,bind" }},
		"a recursive mount":     {"HostConfig.Binds", func(r *container.InspectResponse) { r.HostConfig.Binds[0] = "/srv/da:ta:/in:ro,rprivate,rbind" }},
		"a shared mount":        {"HostConfig.Binds", func(r *container.InspectResponse) { r.HostConfig.Binds[0] = "/srv/da:ta:/in:ro,rshared,bind" }},
		"another source":        {"HostConfig.Binds", func(r *container.InspectResponse) { r.HostConfig.Binds[0] = "/etc:/in:ro,rprivate,bind" }},
		"one more mount":        {"HostConfig.Binds", func(r *container.InspectResponse) { r.HostConfig.Binds = append(r.HostConfig.Binds, "/:/host:rw") }},
		"one more volume": {"Mounts was sent", func(r *container.InspectResponse) {
			r.Mounts = append(r.Mounts, container.MountPoint{Type: "volume", Name: "x", Destination: "/x", RW: true})
		}},
		"one more variable":     {`"LD_PRELOAD"`, func(r *container.InspectResponse) { r.Config.Env = append(r.Config.Env, "LD_PRELOAD=/evil.so") }},
		"another engine's name": {`"container"`, func(r *container.InspectResponse) { r.Config.Env = append(r.Config.Env, "container=evil") }},
		"another name":          {`"HOSTNAME"`, func(r *container.InspectResponse) { r.Config.Env = append(r.Config.Env, "HOSTNAME=evil") }},
		"another init":          {"Path and Args", func(r *container.InspectResponse) { r.Path = "/evil" }},
		"another command":       {"Path and Args", func(r *container.InspectResponse) { r.Args[1] = "/evil" }},
		"another image":         {"Image was sent", func(r *container.InspectResponse) { r.Image = "sha256:4567" }},
		"the host's network":    {"HostConfig.NetworkMode", func(r *container.InspectResponse) { r.HostConfig.NetworkMode = "host" }},
		"another network": {"NetworkSettings.Networks", func(r *container.InspectResponse) {
			r.NetworkSettings.Networks = map[string]*network.EndpointSettings{"other": {}}
		}},
		"one more network":       {"NetworkSettings.Networks", func(r *container.InspectResponse) { r.NetworkSettings.Networks["other"] = nil }},
		"another group of ours":  {"HostConfig.GroupAdd", func(r *container.InspectResponse) { r.HostConfig.GroupAdd = []string{"0"} }},
		"a privileged container": {"HostConfig.Privileged", func(r *container.InspectResponse) { r.HostConfig.Privileged = true }},
	} {
		sent := samplePodman()
		got := readBackPodman(t, sent)
		c.edit(&got)
		require.ErrorContains(t, verify.Container(sent, got), c.want, name)
	}
}
