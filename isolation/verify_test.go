package isolation

import (
	"encoding/json"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"
)

// readBack is what an engine that edits nothing says of a container: empty lists
// for none, and what it fills in.
func readBack(t *testing.T, sent *container.HostConfig) *container.HostConfig {
	t.Helper()
	text, err := json.Marshal(sent)
	require.NoError(t, err)
	got := &container.HostConfig{}
	require.NoError(t, json.Unmarshal(text, got))
	got.MaskedPaths = []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/proc/timer_list", "/sys/firmware"}
	got.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	no, none := false, int64(-1)
	got.OomKillDisable, got.MemorySwappiness = &no, &none
	got.Devices, got.CapAdd, got.Binds = []container.DeviceMapping{}, []string{}, []string{}
	if got.Runtime == "" {
		got.Runtime = "runc"
	}
	return got
}

func TestVerifyAcceptsWhatWasSent(t *testing.T) {
	config := maximalConfig()
	for name, sent := range map[string]*container.HostConfig{
		"least": Preset{}.HostConfig(), "most": maximal().HostConfig(), "staging": maximalStaging(),
	} {
		require.NoError(t, Verify(sent, readBack(t, sent), config, config), name)
	}
	sent := maximal().HostConfig()
	got := readBack(t, sent)
	got.MemorySwap = -1 // without swap accounting
	require.NoError(t, Verify(sent, got, config, config))
}

func TestVerifyNamesEditedMountsAndConfig(t *testing.T) {
	sent, config := maximal().HostConfig(), maximalConfig()
	for name, change := range map[string]func(*container.HostConfig, *container.Config){
		"HostConfig.Mounts":        func(h *container.HostConfig, _ *container.Config) { h.Mounts[0].ReadOnly = !h.Mounts[0].ReadOnly },
		"HostConfig.MaskedPaths":   func(h *container.HostConfig, _ *container.Config) { h.MaskedPaths = nil },
		"HostConfig.ReadonlyPaths": func(h *container.HostConfig, _ *container.Config) { h.ReadonlyPaths = []string{} },
		"HostConfig.UsernsMode":    func(h *container.HostConfig, _ *container.Config) { h.UsernsMode = "host" },
		"HostConfig.Memory ":       func(h *container.HostConfig, _ *container.Config) { h.Memory = 0 },
		"HostConfig.CgroupParent":  func(h *container.HostConfig, _ *container.Config) { h.CgroupParent = "/" },
		"Config.Image":             func(_ *container.HostConfig, c *container.Config) { c.Image = "evil" },
		"Config.Env":               func(_ *container.HostConfig, c *container.Config) { c.Env = []string{"A=2"} },
		"Config.WorkingDir":        func(_ *container.HostConfig, c *container.Config) { c.WorkingDir = "/tmp" },
		"Config.Labels":            func(_ *container.HostConfig, c *container.Config) { c.Labels = nil },
		"Config.User":              func(_ *container.HostConfig, c *container.Config) { c.User = "0" },
		"Config.Tty":               func(_ *container.HostConfig, c *container.Config) { c.Tty = true },
		"Config.OpenStdin":         func(_ *container.HostConfig, c *container.Config) { c.OpenStdin = !c.OpenStdin },
		"Config.Cmd":               func(_ *container.HostConfig, c *container.Config) { c.Cmd = []string{"sh"} },
		"Config.Healthcheck":       func(_ *container.HostConfig, c *container.Config) { c.Healthcheck = nil },
	} {
		got, gotConfig := readBack(t, sent), *config
		change(got, &gotConfig)
		require.ErrorContains(t, Verify(sent, got, config, &gotConfig), name)
	}
	program := Program("image", "/program", nil)
	other := *program
	other.Entrypoint = []string{"/bin/sh"}
	require.ErrorContains(t, Verify(sent, readBack(t, sent), program, &other), "Config.Entrypoint")
	require.Error(t, Verify(sent, nil, config, config))

	moved := readBack(t, sent)
	moved.Mounts = append(moved.Mounts, mount.Mount{Type: mount.TypeBind, Source: "/", Target: "/host"})
	require.ErrorContains(t, Verify(sent, moved, config, config), `"Source":"/","Target":"/host"`)
}
