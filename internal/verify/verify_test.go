package verify_test

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/verify"
	"github.com/synchestra-io/sandbox/isolation"
)

func TestContainerAcceptsWhatWasSent(t *testing.T) {
	for name, edit := range map[string]func(*verify.Sent){
		"most":           func(*verify.Sent) {},
		"least":          func(s *verify.Sent) { s.Host = isolation.Preset{}.HostConfig() },
		"staging":        func(s *verify.Sent) { s.Host = isolation.Staging(s.Host.Mounts, nil) },
		"no swap limits": func(s *verify.Sent) { s.CountsSwap = false },
		"unknown image":  func(s *verify.Sent) { s.Image = nil },
	} {
		sent := sample()
		edit(&sent)
		require.NoError(t, verify.Container(sent, readBack(t, sent)), name)
	}
}

// Some engines answer in other words, which mean the same.
func TestContainerAcceptsOtherWords(t *testing.T) {
	for name, edit := range map[string]func(*verify.Sent, *container.InspectResponse){
		"swap is not counted":     func(s *verify.Sent, r *container.InspectResponse) { s.CountsSwap, r.HostConfig.MemorySwap = false, -1 },
		"no name for the runtime": func(s *verify.Sent, r *container.InspectResponse) { s.Host.Runtime, r.HostConfig.Runtime = "", "" },
		"the default runtime":     func(s *verify.Sent, r *container.InspectResponse) { s.Host.Runtime, r.HostConfig.Runtime = "", "runc" },
		"no swappiness":           func(_ *verify.Sent, r *container.InspectResponse) { r.HostConfig.MemorySwappiness = nil },
		"more masked paths": func(_ *verify.Sent, r *container.InspectResponse) {
			r.HostConfig.MaskedPaths = append(r.HostConfig.MaskedPaths, "/proc/interrupts")
		},
		"labels of Docker Desktop": func(_ *verify.Sent, r *container.InspectResponse) {
			r.Config.Labels["desktop.docker.io/binds/0/Source"] = "/x"
		},
		"the other of two values":  func(_ *verify.Sent, r *container.InspectResponse) { r.Config.Env[2] = "PATH=/twice" },
		"variables in other order": func(_ *verify.Sent, r *container.InspectResponse) { e := r.Config.Env; e[0], e[3] = e[3], e[0] },
		"mounts in other order":    func(_ *verify.Sent, r *container.InspectResponse) { m := r.Mounts; m[0], m[2] = m[2], m[0] },
		"an alias, the short ID": func(_ *verify.Sent, r *container.InspectResponse) {
			r.NetworkSettings.Networks["bridge"].Aliases = []string{containerID[:12]}
		},
		"an empty address": func(_ *verify.Sent, r *container.InspectResponse) {
			r.NetworkSettings.Networks["bridge"].IPAMConfig = &network.EndpointIPAMConfig{}
		},
		"an endpoint without words": func(_ *verify.Sent, r *container.InspectResponse) { r.NetworkSettings.Networks["bridge"] = nil },
	} {
		sent := sample()
		got := readBack(t, sent)
		edit(&sent, &got)
		require.NoError(t, verify.Container(sent, got), name)
	}
}

// What decides what runs, and how closed it is, is named when it was edited.
func TestContainerNamesWhatWasEdited(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		edit func(*container.InspectResponse)
	}{
		"swap":                {"HostConfig.MemorySwap was sent as 268435456, and the engine has 1099511627776", func(r *container.InspectResponse) { r.HostConfig.MemorySwap = 1 << 40 }},
		"swap without limit":  {"HostConfig.MemorySwap", func(r *container.InspectResponse) { r.HostConfig.MemorySwap = -1 }},
		"no death":            {"HostConfig.OomKillDisable", func(r *container.InspectResponse) { yes := true; r.HostConfig.OomKillDisable = &yes }},
		"another cgroup":      {"HostConfig.CgroupParent", func(r *container.InspectResponse) { r.HostConfig.CgroupParent = "/" }},
		"another runtime":     {"HostConfig.Runtime", func(r *container.InspectResponse) { r.HostConfig.Runtime = "runc" }},
		"host's users":        {"HostConfig.UsernsMode", func(r *container.InspectResponse) { r.HostConfig.UsernsMode = "host" }},
		"few masked paths":    {"HostConfig.MaskedPaths lacks /proc/acpi", func(r *container.InspectResponse) { r.HostConfig.MaskedPaths = []string{"/proc/kcore"} }},
		"few read-only paths": {"HostConfig.ReadonlyPaths lacks /proc/bus", func(r *container.InspectResponse) { r.HostConfig.ReadonlyPaths = []string{"/proc/sys"} }},
		"a driver's options": {"HostConfig.Mounts", func(r *container.InspectResponse) {
			r.HostConfig.Mounts[2].VolumeOptions.DriverConfig = &mount.Driver{Options: map[string]string{"device": "/"}}
		}},
		"one more mount": {`"Source":"/","Target":"/host"`, func(r *container.InspectResponse) {
			r.HostConfig.Mounts = append(r.HostConfig.Mounts, isolation.Bind("/", "/host", false))
		}},
		"an anonymous volume": {"Mounts was sent as", func(r *container.InspectResponse) {
			r.Mounts = append(r.Mounts, container.MountPoint{Type: "volume", Name: "x", Destination: "/evil", RW: true})
		}},
		"another image":      {"Config.Image", func(r *container.InspectResponse) { r.Config.Image = "evil" }},
		"another image's ID": {"Image was sent as sha256:0123, and the engine has sha256:4567", func(r *container.InspectResponse) { r.Image = "sha256:4567" }},
		"another entrypoint": {`Config.Entrypoint was sent as ["/entry" "--"], and the engine has ["/evil"]`, func(r *container.InspectResponse) { r.Config.Entrypoint = []string{"/evil"} }},
		"no entrypoint":      {"Config.Entrypoint", func(r *container.InspectResponse) { r.Config.Entrypoint = nil }},
		"another program":    {"Path and Args", func(r *container.InspectResponse) { r.Path = "/evil" }},
		"another command":    {"Config.Cmd", func(r *container.InspectResponse) { r.Config.Cmd = []string{"sh"} }},
		"one more variable":  {`Config.Env has a value of "LD_PRELOAD" at the engine that was not sent`, func(r *container.InspectResponse) { r.Config.Env = append(r.Config.Env, "LD_PRELOAD=/evil.so") }},
		"a variable, twice":  {`Config.Env has a value of "A" at the engine`, func(r *container.InspectResponse) { r.Config.Env = append(r.Config.Env, "A=image") }},
		"another value":      {`Config.Env has a value of "PATH" at the engine`, func(r *container.InspectResponse) { r.Config.Env[2] = "PATH=/evil" }},
		"a variable less":    {`Config.Env was sent with "HOME", and`, func(r *container.InspectResponse) { r.Config.Env = []string{"A=job", "PATH=/bin", "odd"} }},
		"an image's less":    {`Config.Env lacks the image's "odd"`, func(r *container.InspectResponse) { r.Config.Env = r.Config.Env[:3] }},
		"one more VOLUME":    {"Config.Volumes", func(r *container.InspectResponse) { r.Config.Volumes["/evil"] = struct{}{} }},
		"another directory":  {"Config.WorkingDir was sent as /src, and the engine has /evil", func(r *container.InspectResponse) { r.Config.WorkingDir = "/evil" }},
		"a label less":       {`Config.Labels was sent with run "1"`, func(r *container.InspectResponse) { r.Config.Labels = nil }},
		"a health check":     {"Config.Healthcheck", func(r *container.InspectResponse) { r.Config.Healthcheck.Test = []string{"CMD", "/evil"} }},
		"one more network":   {"NetworkSettings.Networks was sent as [bridge], and the engine has [bridge other]", func(r *container.InspectResponse) { r.NetworkSettings.Networks["other"] = nil }},
		"another network": {"NetworkSettings.Networks", func(r *container.InspectResponse) {
			r.NetworkSettings.Networks = map[string]*network.EndpointSettings{"other": {}}
		}},
		"no network":          {"NetworkSettings.Networks", func(r *container.InspectResponse) { r.NetworkSettings.Networks = nil }},
		"nothing of networks": {"NetworkSettings.Networks", func(r *container.InspectResponse) { r.NetworkSettings = nil }},
		"a neighbour's name":  {"NetworkSettings.Networks.bridge.Aliases", func(r *container.InspectResponse) { r.NetworkSettings.Networks["bridge"].Aliases = []string{"db"} }},
		"a neighbour's number": {"NetworkSettings.Networks.bridge.IPAMConfig", func(r *container.InspectResponse) {
			r.NetworkSettings.Networks["bridge"].IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: "10.0.0.1"}
		}},
		"no configuration": {"no configuration", func(r *container.InspectResponse) { r.Config = nil }},
		"nothing at all":   {"no configuration", func(r *container.InspectResponse) { r.ContainerJSONBase = nil }},
	} {
		sent := sample()
		got := readBack(t, sent)
		c.edit(&got)
		require.ErrorContains(t, verify.Container(sent, got), c.want, name)
	}
}

// A container in another one's network namespace has no network of its own.
func TestNamespaceOfAnother(t *testing.T) {
	sent := sample()
	sent.Host.NetworkMode = "container:other"
	got := readBack(t, sent)
	require.ErrorContains(t, verify.Container(sent, got), "NetworkSettings.Networks")
	got.NetworkSettings.Networks = nil
	require.NoError(t, verify.Container(sent, got))
	got.HostConfig.NetworkMode = "host"
	require.ErrorContains(t, verify.Container(sent, got), "HostConfig.NetworkMode was sent as container:other")
}

// A runtime that was not asked for must be the engine's default.
func TestRuntimeIsTheDefault(t *testing.T) {
	sent := sample()
	sent.Host.Runtime = ""
	got := readBack(t, sent)
	got.HostConfig.Runtime = "io.containerd.runc.v2"
	require.ErrorContains(t, verify.Container(sent, got), "HostConfig.Runtime")
	sent.DefaultRuntime = ""
	require.NoError(t, verify.Container(sent, got), "which one it is was not said")
}

// Without an image at hand, what an image may add passes, and nothing that overrides
// what was sent.
func TestUnknownImage(t *testing.T) {
	sent := sample()
	got := readBack(t, sent)
	sent.Image = nil
	require.NoError(t, verify.Container(sent, got))
	got.Config.Env[0] = "A=evil"
	require.ErrorContains(t, verify.Container(sent, got), "Config.Env")
}
