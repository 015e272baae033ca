package verify_test

import (
	"encoding/json"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/verify"
	"github.com/synchestra-io/sandbox/isolation"
)

const containerID = "8c3c6b0d0334bb09ae9e11c0e97dcbdc6389272d50bf6b9938fcd9092b983727"

// sample is a request that sets whatever a Preset can set, for an image that adds
// whatever an image can add.
func sample() verify.Sent {
	preset := isolation.Preset{
		NanoCPUs: 1_500_000_000, MemoryBytes: 256 << 20, PidsLimit: 64, NetworkMode: "bridge",
		Tmpfs: map[string]string{"/tmp": "exec,size=1048576", "/data": ""}, AutoRemove: true,
		Mounts: []mount.Mount{
			isolation.Bind("/srv/data", "/in", true),
			isolation.Part("/var/lib/docker/volumes/vol/_data/tree/out", "/out"),
			isolation.Volume("vol", "/workspace", map[string]string{"run": "1"}),
		},
		Runtime: "runsc", FileBytes: 64 << 20, StrictSeccomp: true,
	}
	return verify.Sent{
		Host:   preset.HostConfig(),
		Config: isolation.Config("sha256:0123", []string{"go", "test"}, []string{"A=job", "HOME=/tmp"}, "", map[string]string{"run": "1"}, true),
		Image: &verify.Image{
			ID: "sha256:0123", Env: []string{"PATH=/bin", "A=image", "PATH=/twice", "odd"},
			Entrypoint: []string{"/entry", "--"}, WorkingDir: "/src/", Volumes: []string{"/data"},
		},
		DefaultRuntime: "runc", CountsSwap: true,
	}
}

// readBack is what Docker says of the container: what was sent, empty lists for none,
// and what it fills in. Measured on 20.10.24 and 28.5.2.
func readBack(t *testing.T, sent verify.Sent) container.InspectResponse {
	t.Helper()
	host, config := &container.HostConfig{}, &container.Config{}
	copyJSON(t, sent.Host, host)
	copyJSON(t, sent.Config, config)
	no, none := false, int64(-1)
	host.OomKillDisable, host.MemorySwappiness = &no, &none
	host.MaskedPaths = []string{"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"}
	host.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	host.Devices, host.CapAdd, host.Binds = []container.DeviceMapping{}, []string{}, []string{}
	if host.Runtime == "" {
		host.Runtime = sent.DefaultRuntime
	}
	got := container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{ID: containerID, HostConfig: host, Path: "go", Args: []string{"test"}},
		Config:            config,
		NetworkSettings:   &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{string(host.NetworkMode): {}}},
	}
	for _, m := range sent.Host.Mounts {
		point := container.MountPoint{Type: m.Type, Source: m.Source, Destination: m.Target, RW: !m.ReadOnly}
		if m.Type == mount.TypeVolume {
			point.Name, point.Driver, point.Mode, point.Source = m.Source, "local", "z", "/var/lib/docker/volumes/x/_data"
		} else {
			point.Propagation = m.BindOptions.Propagation
		}
		got.Mounts = append(got.Mounts, point)
	}
	config.Hostname = containerID[:12]
	if sent.Image != nil {
		got.Image, got.Path, got.Args = "sha256:0123", "/entry", []string{"--", "go", "test"}
		config.Env = append(config.Env, "PATH=/bin", "odd")
		config.Entrypoint, config.WorkingDir = []string{"/entry", "--"}, "/src"
		config.Volumes = map[string]struct{}{"/data/": {}}
		config.Labels["of"] = "the image"
		config.Healthcheck.Interval = 5
	}
	return got
}

func copyJSON(t *testing.T, from, to any) {
	t.Helper()
	text, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, to))
}
