package isolation

import (
	"encoding/json"
	"reflect"
	"strings"
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
	got.MaskedPaths, got.ReadonlyPaths = []string{"/proc/kcore"}, []string{"/proc/sys"}
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

// Whatever field comes back in another way is named.
func TestVerifyNamesEveryEditedField(t *testing.T) {
	sent := maximal().HostConfig()
	config := maximalConfig()
	each(reflect.ValueOf(sent).Elem(), "", func(name string, i []int) {
		last := name[strings.LastIndex(name, ".")+1:]
		if reason := filledIn[last]; reason != "" && last != "Mounts" && last != "Runtime" && last != "MaskedPaths" && last != "ReadonlyPaths" {
			return
		}
		got := readBack(t, sent)
		edit(t, reflect.ValueOf(got).Elem().FieldByIndex(i))
		require.ErrorContains(t, Verify(sent, got, config, config), "HostConfig."+name, "nobody saw an edited %s", name)
	})
}

// each visits the fields of a struct, those of structs in it, too.
func each(v reflect.Value, prefix string, visit func(name string, index []int)) {
	var walk func(v reflect.Value, prefix string, index []int)
	walk = func(v reflect.Value, prefix string, index []int) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			at := append(append([]int{}, index...), i)
			switch {
			case field.Anonymous:
				walk(v.Field(i), prefix, at)
			case field.Type.Kind() == reflect.Struct:
				walk(v.Field(i), prefix+field.Name+".", at)
			default:
				visit(prefix+field.Name, at)
			}
		}
	}
	walk(v, prefix, nil)
}

// edit gives a field another value.
func edit(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint, reflect.Uint16, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Slice:
		if v.Len() > 0 {
			v.Set(reflect.Zero(v.Type()))
		} else {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
	case reflect.Map:
		if v.Len() > 0 {
			v.Set(reflect.Zero(v.Type()))
		} else {
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
		}
	case reflect.Pointer:
		other := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			other.Elem().Set(v.Elem())
		}
		edit(t, other.Elem())
		v.Set(other)
	case reflect.Array:
		edit(t, v.Index(0))
	default:
		t.Fatalf("%s has a kind that this test cannot edit", v.Type())
	}
}

func TestVerifyNamesEditedMountsAndConfig(t *testing.T) {
	sent, config := maximal().HostConfig(), maximalConfig()
	for name, change := range map[string]func(*container.HostConfig, *container.Config){
		"HostConfig.Mounts":        func(h *container.HostConfig, _ *container.Config) { h.Mounts[0].ReadOnly = !h.Mounts[0].ReadOnly },
		"HostConfig.MaskedPaths":   func(h *container.HostConfig, _ *container.Config) { h.MaskedPaths = nil },
		"HostConfig.ReadonlyPaths": func(h *container.HostConfig, _ *container.Config) { h.ReadonlyPaths = []string{} },
		"HostConfig.UsernsMode":    func(h *container.HostConfig, _ *container.Config) { h.UsernsMode = "host" },
		"HostConfig.Memory ":       func(h *container.HostConfig, _ *container.Config) { h.Memory = 0 },
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
	require.ErrorContains(t, Verify(sent, moved, config, config), `bind "/" at "/host"`)
}
