package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// hostRules are the fields of HostConfig that an engine fills in. All others come back
// as they were sent, from Docker 20.10 to 28.
var hostRules = map[string]rule{
	"Runtime": func(want, got reflect.Value, sent Sent) string {
		if want.String() == "" && (got.String() == "" || sent.DefaultRuntime == "") {
			return ""
		}
		return differ(got.String(), cmp.Or(want.String(), sent.DefaultRuntime))
	},
	"MemorySwap": func(want, got reflect.Value, sent Sent) string {
		if !sent.CountsSwap && want.Int() > 0 && got.Int() == -1 {
			return ""
		}
		return differ(got.Int(), want.Int())
	},
	"MemorySwappiness": func(want, got reflect.Value, _ Sent) string {
		if want.IsNil() && !got.IsNil() && got.Elem().Int() == -1 { // the kernel's own
			return ""
		}
		return differ(shown(got), shown(want))
	},
	"MaskedPaths":   atLeast("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/proc/timer_list", "/sys/firmware"),
	"ReadonlyPaths": atLeast("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"),
	"Mounts": func(want, got reflect.Value, _ Sent) string {
		w, g := mountTexts(want.Interface().([]mount.Mount)), mountTexts(got.Interface().([]mount.Mount))
		if slices.Equal(w, g) {
			return ""
		}
		return fmt.Sprintf("was sent as %v, and the engine has %v", w, g)
	},
}

// differ says that two values differ, or "".
func differ(got, want any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	return fmt.Sprintf("was sent as %v, and the engine has %v", want, got)
}

// atLeast wants a list of the engine's own with these paths, which are in the list of
// every engine. Newer engines have more.
func atLeast(paths ...string) rule {
	return func(_, got reflect.Value, sent Sent) string {
		list := got.Interface().([]string)
		if sent.Podman && len(list) == 0 {
			return "" // it says "unmask=all" in SecurityOpt if it masks nothing
		}
		if len(list) == 0 {
			return "is empty: the engine masks nothing"
		}
		for _, path := range paths {
			if !slices.Contains(list, path) {
				return fmt.Sprintf("lacks %s: the engine has %v", path, list)
			}
		}
		return ""
	}
}

// mountTexts are all fields of mounts, in a fixed order.
func mountTexts(mounts []mount.Mount) []string {
	texts := make([]string, len(mounts))
	for i, m := range mounts {
		text, err := json.Marshal(m)
		if err != nil {
			text = fmt.Append(nil, err) // which no mount sent has
		}
		texts[i] = string(text)
	}
	slices.Sort(texts)
	return texts
}

// mountPoints compares what the engine made of the mounts: no other volume, such as an
// image's, may be among them.
func (d *differences) mountPoints(sent []mount.Mount, got []container.MountPoint) {
	var want, have []string
	point := func(kind mount.Type, name, at string, writable bool, propagation mount.Propagation) string {
		return fmt.Sprintf("%s %q at %q, writable %t, propagation %q", kind, name, at, writable, propagation)
	}
	for _, m := range sent {
		var name string
		var propagation mount.Propagation
		if m.Type == mount.TypeVolume {
			name = m.Source
		} else if m.BindOptions != nil {
			propagation = m.BindOptions.Propagation
		}
		want = append(want, point(m.Type, name, m.Target, !m.ReadOnly, propagation))
	}
	for _, m := range got {
		have = append(have, point(m.Type, m.Name, m.Destination, m.RW, m.Propagation))
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		d.add("Mounts", want, have)
	}
}
