package isolation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"
)

// maximal sets every field of a Preset, and in Mounts everything that would
// weaken the container if it were believed.
func maximal() Preset {
	hostile := []mount.Mount{
		Bind("/srv/data", "/data", true),
		{
			Type: mount.TypeBind, Source: "/srv/more", Target: "/more", Consistency: mount.ConsistencyCached,
			BindOptions: &mount.BindOptions{
				Propagation: mount.PropagationRShared, CreateMountpoint: true,
				ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true,
			},
			VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{"stray": "1"}},
			TmpfsOptions:  &mount.TmpfsOptions{SizeBytes: 1 << 40},
		},
		Part("/var/lib/docker/volumes/vol/_data/tmp", "/tmp"),
		Volume("vol", "/workspace", map[string]string{"run": "1"}),
		{Type: mount.TypeVolume, Source: "plain", Target: "/plain"},
		{
			Type: mount.TypeVolume, Source: "other", Target: "/other", ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{
				Name: "local", Options: map[string]string{"type": "none", "o": "bind", "device": "/"},
			}},
		},
		PartFile("/var/lib/docker/volumes/host/_data/hosts", "/etc/hosts"),
		VolumeFile("host", "hostname", "/etc/hostname", map[string]string{"run": "1"}),
	}
	return Preset{
		NanoCPUs: 1_500_000_000, MemoryBytes: 256 << 20, PidsLimit: 64, NetworkMode: "bridge",
		Tmpfs: map[string]string{"/tmp": "exec,size=1048576", "/run": ""}, AutoRemove: true,
		Mounts: hostile, Runtime: "runsc", FileBytes: 64 << 20,
	}
}

func maximalStaging() *container.HostConfig {
	return Staging(maximal().Mounts, maximal().Tmpfs)
}

// What the engine is told is on file, so that a change of it is seen in review.
func TestGolden(t *testing.T) {
	for name, value := range map[string]any{
		"hostconfig-zero":    Preset{}.HostConfig(),
		"hostconfig-maximal": maximal().HostConfig(),
		"hostconfig-podman":  maximalPodman().HostConfig(),
		"staging":            maximalStaging(),
		"config":             maximalConfig(),
		"program":            maximalProgram(),
		"offline":            Offline(maximalConfig()),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".json")
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), asJSON(t, value), "if this change is meant, change %s by hand", file)
		})
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "\t")
	require.NoError(t, err)
	return string(text) + "\n"
}

func TestNonRootUser(t *testing.T) {
	require.Equal(t, "65532:65532", NonRootUser)
	require.Equal(t, 65532, UID)
	require.Equal(t, 65532, GID)
}

func TestNetworkModeIsClosed(t *testing.T) {
	for mode, want := range map[string]string{
		"": "none", "none": "none", "host": "none", "default": "none",
		"container:x": "none", "container:": "none", "ns:/proc/1/ns/net": "none", "a:b": "none",
		"bridge": "bridge", "mynet": "mynet",
	} {
		got := Preset{NetworkMode: mode}.HostConfig().NetworkMode
		require.Equal(t, want, string(got), "mode %q", mode)
		require.False(t, got.IsHost() || got.IsContainer() || got.IsDefault(), "mode %q", mode)
	}
}

// The last of two contradicting options counts, so ours must be the last.
func TestTmpfsOptionsEndInOurs(t *testing.T) {
	const ours = "nosuid,nodev,uid=65532,gid=65532"
	for options, want := range map[string]string{
		"":                            ours,
		"size=1k":                     "size=1k," + ours,
		"suid,dev,uid=0,gid=0":        "suid,dev,uid=0,gid=0," + ours,
		"exec,mode=0777,suid,nosuid,": "exec,mode=0777,suid,nosuid,," + ours,
	} {
		got := Preset{Tmpfs: map[string]string{"/t": options}}.HostConfig().Tmpfs
		require.Equal(t, map[string]string{"/t": want}, got)
		staged := Staging(nil, map[string]string{"/t": options}).Tmpfs
		require.Equal(t, map[string]string{"/t": want}, staged)
	}
}

func TestLimits(t *testing.T) {
	none := Preset{}.HostConfig()
	require.Nil(t, none.PidsLimit, "0 would be sent as a limit")
	require.Zero(t, none.Memory)
	require.Zero(t, none.MemorySwap)
	require.Zero(t, none.NanoCPUs)
	core, nofile := &container.Ulimit{Name: "core"}, &container.Ulimit{Name: "nofile", Soft: 1024, Hard: 4096}
	require.Equal(t, []*container.Ulimit{core, nofile}, none.Ulimits, "no nproc, which counts over all containers")
	some := Preset{NanoCPUs: 1, MemoryBytes: 2, PidsLimit: 3, FileBytes: 4}.HostConfig()
	require.EqualValues(t, 1, some.NanoCPUs)
	require.EqualValues(t, 2, some.Memory)
	require.Equal(t, some.Memory, some.MemorySwap, "unless they are equal there is swap")
	require.EqualValues(t, 3, *some.PidsLimit)
	require.Equal(t, []*container.Ulimit{core, nofile, {Name: "fsize", Soft: 4, Hard: 4}}, some.Ulimits, "a job may not raise it")
}

func TestStagingDiffersInOneField(t *testing.T) {
	p := maximal()
	hardened := reflect.ValueOf(*Preset{NetworkMode: "none", Mounts: p.Mounts, Tmpfs: p.Tmpfs}.HostConfig())
	staging := reflect.ValueOf(*Staging(p.Mounts, p.Tmpfs))
	var differ []string
	for _, f := range reflect.VisibleFields(hardened.Type()) {
		if f.Anonymous {
			continue
		}
		a, b := hardened.FieldByIndex(f.Index).Interface(), staging.FieldByIndex(f.Index).Interface()
		if !reflect.DeepEqual(a, b) {
			differ = append(differ, f.Name)
		}
	}
	require.Equal(t, []string{"ReadonlyRootfs"}, differ)
}

// The engine's client edits what it is given: no value may be shared between
// two calls, or with the caller's own.
func TestValuesAreFresh(t *testing.T) {
	p := maximal()
	cmd, env, labels := []string{"go"}, []string{"A=1"}, map[string]string{"run": "1"}
	for name, value := range map[string]func() any{
		"HostConfig": func() any { return p.HostConfig() },
		"Staging":    func() any { return Staging(p.Mounts, p.Tmpfs) },
		"Config":     func() any { return Config("image", cmd, env, "/w", labels, true) },
		"Program":    func() any { return Program("image", "/pause", labels) },
	} {
		t.Run(name, func(t *testing.T) {
			want := asJSON(t, value())
			scribble(reflect.ValueOf(value()))
			require.Equal(t, want, asJSON(t, value()))
			require.Equal(t, maximal(), p)
		})
	}
}

// scribble overwrites whatever can be reached from v.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
		}
		v.SetMapIndex(reflect.ValueOf("scribbled").Convert(v.Type().Key()), reflect.Zero(v.Type().Elem()))
	case reflect.String:
		v.SetString(strings.Repeat("x", v.Len()+1))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	}
}
