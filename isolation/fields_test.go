package isolation

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"
)

// A field of the SDK's structs is either set, or left empty for the reason in
// the table. A field that the tables do not know has come with a new SDK: find
// out what it does to a container before it gets a line here.

const set = "" // set for a maximal preset

const (
	handsOut    = "hands out what is outside the container"
	namespace   = "joins another namespace"
	widens      = "widens what the container may do"
	replaces    = "a list of ours would replace the engine's newer one"
	pointless   = "not needed"
	otherLimit  = "the limits are NanoCPUs, Memory and PidsLimit"
	onlyWindows = "Windows"
)

var hostConfigFields = map[string]string{
	"LogConfig": set, "NetworkMode": set, "RestartPolicy": set, "AutoRemove": set,
	"CapDrop": set, "CgroupnsMode": set, "IpcMode": set, "ReadonlyRootfs": set, "SecurityOpt": set,
	"Tmpfs": set, "ShmSize": set, "Runtime": set, "Mounts": set, "Init": set, "OomScoreAdj": set,

	"Binds":           "strings break on a colon and create missing sources",
	"ContainerIDFile": pointless,
	"PortBindings":    "no inbound connections",
	"PublishAllPorts": "no inbound connections",
	"VolumeDriver":    pointless,
	"VolumesFrom":     handsOut,
	"ConsoleSize":     "there is no terminal",
	"Annotations":     "read by runtimes, which may widen by them",
	"CapAdd":          widens,
	"DNS":             `of no use but on networks without a way out, see TestResolver`,
	"DNSOptions":      pointless,
	"DNSSearch":       `of no use but on networks without a way out, see TestResolver`,
	"ExtraHosts":      pointless,
	"GroupAdd":        "the process has no other group",
	"Cgroup":          namespace,
	"Links":           handsOut,
	"PidMode":         namespace,
	"Privileged":      widens,
	"StorageOpt":      "refused on most hosts",
	"UTSMode":         namespace,
	"UsernsMode":      `"host" would lift the engine's remapping`,
	"Sysctls":         widens,
	"Isolation":       onlyWindows,
	"MaskedPaths":     replaces,
	"ReadonlyPaths":   replaces,
}

var resourcesFields = map[string]string{
	"NanoCPUs": set, "Memory": set, "MemorySwap": set, "PidsLimit": set, "Ulimits": set,

	"CPUShares":            otherLimit,
	"CgroupParent":         "leaves the engine's cgroup",
	"BlkioWeight":          otherLimit,
	"BlkioWeightDevice":    otherLimit,
	"BlkioDeviceReadBps":   otherLimit,
	"BlkioDeviceWriteBps":  otherLimit,
	"BlkioDeviceReadIOps":  otherLimit,
	"BlkioDeviceWriteIOps": otherLimit,
	"CPUPeriod":            "excludes NanoCPUs",
	"CPUQuota":             "excludes NanoCPUs",
	"CPURealtimePeriod":    otherLimit,
	"CPURealtimeRuntime":   otherLimit,
	"CpusetCpus":           otherLimit,
	"CpusetMems":           otherLimit,
	"Devices":              handsOut,
	"DeviceCgroupRules":    handsOut,
	"DeviceRequests":       handsOut,
	"KernelMemory":         "deprecated",
	"KernelMemoryTCP":      "deprecated",
	"MemoryReservation":    otherLimit,
	"MemorySwappiness":     "there is no swap",
	"OomKillDisable":       "a job at its limit would hang",
	"CPUCount":             onlyWindows,
	"CPUPercent":           onlyWindows,
	"IOMaximumIOps":        onlyWindows,
	"IOMaximumBandwidth":   onlyWindows,
}

var configFields = map[string]string{
	"User": set, "Hostname": set, "NetworkDisabled": set, "AttachStdin": set, "AttachStdout": set, "AttachStderr": set, "OpenStdin": set, "StdinOnce": set,
	"Env": set, "Cmd": set, "Healthcheck": set, "Image": set, "WorkingDir": set, "Entrypoint": set, "Labels": set,

	"Domainname":   pointless,
	"ExposedPorts": "no inbound connections",
	"Tty":          "would merge the two streams",
	"ArgsEscaped":  onlyWindows,
	"Volumes":      "would be anonymous and unlimited",

	"MacAddress":  "deprecated",
	"OnBuild":     pointless,
	"StopSignal":  "a job is killed, never stopped",
	"StopTimeout": "a job is killed, never stopped",
	"Shell":       "for builds",
}

var mountFields = map[string]string{
	"Type": set, "Source": set, "Target": set, "ReadOnly": set, "BindOptions": set, "VolumeOptions": set,

	"Consistency":    "has no effect",
	"ImageOptions":   "only binds and volumes are mounted",
	"TmpfsOptions":   "only binds and volumes are mounted",
	"ClusterOptions": "only binds and volumes are mounted",
}

func TestEveryFieldIsClassified(t *testing.T) {
	host := maximal().HostConfig()
	config := maximalConfig()
	var mounts, binds, volumes, ulimits []any
	for _, m := range host.Mounts {
		mounts = append(mounts, m)
		if m.Type == mount.TypeBind {
			binds = append(binds, *m.BindOptions)
		} else {
			volumes = append(volumes, *m.VolumeOptions)
		}
	}
	for _, u := range host.Ulimits {
		ulimits = append(ulimits, *u)
	}
	for _, c := range []struct {
		fields map[string]string
		values []any // a field that is set must be so in one of them
	}{
		{hostConfigFields, []any{*host}},
		{resourcesFields, []any{host.Resources}},
		{configFields, []any{*config, *maximalProgram(), *Offline(maximalConfig())}},
		{mountFields, mounts},
		{map[string]string{"Type": set, "Config": "none has no options"}, []any{host.LogConfig}},
		{map[string]string{"Name": set, "MaximumRetryCount": "never restarted"}, []any{host.RestartPolicy}},
		{map[string]string{
			"NonRecursive": set, "Propagation": set,
			"CreateMountpoint":       "a missing source is an error",
			"ReadOnlyNonRecursive":   "the bind is not recursive",
			"ReadOnlyForceRecursive": "the bind is not recursive",
		}, binds},
		{map[string]string{
			"NoCopy": set, "Labels": set, "Subpath": set,
			"DriverConfig": handsOut,
		}, volumes},
		{map[string]string{
			"Test":     set,
			"Interval": pointless, "Timeout": pointless, "StartPeriod": pointless, "StartInterval": pointless, "Retries": pointless,
		}, []any{*config.Healthcheck}},
		{map[string]string{"Name": set, "Hard": set, "Soft": set}, ulimits},
	} {
		t.Run(reflect.TypeOf(c.values[0]).String(), func(t *testing.T) { classified(t, c.fields, c.values) })
	}
}

func classified(t *testing.T, fields map[string]string, values []any) {
	typ := reflect.TypeOf(values[0])
	known := 0
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Anonymous {
			continue // a struct with a table of its own
		}
		empty := !slices.ContainsFunc(values, func(v any) bool { return !isEmpty(reflect.ValueOf(v).Field(i)) })
		switch reason, ok := fields[field.Name]; {
		case !ok:
			t.Errorf("the SDK's field %s.%s is new: decide what a hardened container does with it, then classify it", typ, field.Name)
			continue
		case reason == set && empty:
			t.Errorf("%s.%s is classified as set, but a maximal preset leaves it empty", typ, field.Name)
		case reason != set && !empty:
			t.Errorf("%s.%s must stay empty (%s)", typ, field.Name, reason)
		}
		known++
	}
	require.Len(t, fields, known, "a classified field of %s is gone from the SDK: remove its line", typ)
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	}
	return v.IsZero()
}

// The embedded structs are the ones with tables.
func TestEmbeddedStructs(t *testing.T) {
	embedded := func(v any) string {
		var names []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if f.Anonymous {
				names = append(names, f.Name)
			}
		}
		return strings.Join(names, " ")
	}
	require.Equal(t, "Resources", embedded(container.HostConfig{}))
	require.Empty(t, embedded(container.Resources{}))
	require.Empty(t, embedded(container.Config{}))
	require.Empty(t, embedded(mount.Mount{}))
}
