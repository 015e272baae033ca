package isolation

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// Verify compares the configuration that an engine reports for a container with the
// one it was sent. The error names every field in which they differ. An engine may
// discard a limit that it does not support and only warn about it, and something
// between the client and the engine may edit a request. got and gotConfig are what
// the engine's inspect call returns.
func Verify(sent, got *container.HostConfig, sentConfig, gotConfig *container.Config) error {
	if got == nil || gotConfig == nil {
		return errors.New("the engine's answer has no configuration")
	}
	var d differences
	d.fields("HostConfig.", reflect.ValueOf(*sent), reflect.ValueOf(*got))
	d.mounts(sent.Mounts, got.Mounts)
	d.defaults("MaskedPaths", got.MaskedPaths)
	d.defaults("ReadonlyPaths", got.ReadonlyPaths)
	d.config(sentConfig, gotConfig)
	return errors.Join(d...)
}

// filledIn are fields that the engine fills in if they are empty, or that are
// compared in another way. All others must come back as they were sent.
var filledIn = map[string]string{
	"ConsoleSize":      "whatever it was",
	"ContainerIDFile":  "of Docker's own client",
	"Runtime":          "the engine's default",
	"Isolation":        "Windows",
	"MaskedPaths":      "the engine's list",
	"ReadonlyPaths":    "the engine's list",
	"Mounts":           "compared one by one",
	"CgroupParent":     "the engine's default",
	"OomKillDisable":   "false, or nothing",
	"MemorySwappiness": "the engine's default, and there is no swap",
	"UsernsMode":       "the engine's remapping",
	"MemorySwap":       "-1 where the kernel does not account for swap",
}

// differences collects one error per field.
type differences []error

func (d *differences) add(field string, sent, got any) {
	*d = append(*d, fmt.Errorf("%s was sent as %v, and the engine has %v", field, sent, got))
}

// fields compares two structs of one type, field by field.
func (d *differences) fields(prefix string, sent, got reflect.Value) {
	for i := range sent.NumField() {
		field := sent.Type().Field(i)
		s, g := sent.Field(i), got.Field(i)
		switch {
		case field.Anonymous: // Resources
			d.fields(prefix, s, g)
		case s.Kind() == reflect.Struct:
			d.fields(prefix+field.Name+".", s, g)
		case field.Name == "UsernsMode" && g.String() == "host":
			d.add(prefix+field.Name, s, g)
		case filledIn[field.Name] != "" && (s.IsZero() || field.Name == "Mounts" || field.Name == "MemorySwap"):
			continue
		case !same(s, g):
			d.add(prefix+field.Name, shown(s), shown(g))
		}
	}
}

// same is equality, but for nil and empty.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Slice, reflect.Map:
		if a.Len() == 0 && b.Len() == 0 {
			return true
		}
	case reflect.Pointer:
		if zero(a) && zero(b) {
			return true
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func zero(p reflect.Value) bool { return p.IsNil() || p.Elem().IsZero() }

// shown is what a field holds, not where.
func shown(v reflect.Value) any {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return v.Elem().Interface()
	}
	if v.Type() == reflect.TypeFor[[]*container.Ulimit]() {
		var list []string
		for _, u := range v.Interface().([]*container.Ulimit) {
			list = append(list, u.String())
		}
		return list
	}
	if list, ok := v.Interface().([]string); ok {
		list = slices.Clone(list)
		for i, text := range list {
			if len(text) > 100 { // a seccomp profile
				list[i] = text[:100] + "…"
			}
		}
		return list
	}
	return v.Interface()
}

func (d *differences) mounts(sent, got []mount.Mount) {
	plain := func(mounts []mount.Mount) []string {
		var list []string
		for _, m := range mounts {
			text := fmt.Sprintf("%s %q at %q, read-only %t", m.Type, m.Source, m.Target, m.ReadOnly)
			if m.BindOptions != nil {
				text += fmt.Sprintf(", %s, non-recursive %t", m.BindOptions.Propagation, m.BindOptions.NonRecursive)
			}
			if m.VolumeOptions != nil {
				text += fmt.Sprintf(", no copy %t", m.VolumeOptions.NoCopy)
			}
			list = append(list, text)
		}
		slices.Sort(list)
		return list
	}
	if s, g := plain(sent), plain(got); !slices.Equal(s, g) {
		d.add("HostConfig.Mounts", s, g)
	}
}

// defaults wants a list of the engine's own.
func (d *differences) defaults(field string, got []string) {
	if len(got) == 0 {
		*d = append(*d, fmt.Errorf("HostConfig.%s is empty: the engine masks nothing", field))
	}
}

// config compares what decides who runs, and what.
func (d *differences) config(sent, got *container.Config) {
	for _, c := range []struct {
		field     string
		sent, got any
	}{
		{"User", sent.User, got.User},
		{"Tty", sent.Tty, got.Tty},
		{"OpenStdin", sent.OpenStdin, got.OpenStdin},
	} {
		if !reflect.DeepEqual(c.sent, c.got) {
			d.add("Config."+c.field, c.sent, c.got)
		}
	}
	if !slices.Equal(sent.Cmd, got.Cmd) {
		d.add("Config.Cmd", sent.Cmd, got.Cmd)
	}
	if len(sent.Entrypoint) > 0 && !slices.Equal(sent.Entrypoint, got.Entrypoint) {
		d.add("Config.Entrypoint", sent.Entrypoint, got.Entrypoint)
	}
	if sent.Healthcheck != nil && (got.Healthcheck == nil || !slices.Equal(sent.Healthcheck.Test, got.Healthcheck.Test)) {
		d.add("Config.Healthcheck", sent.Healthcheck.Test, got.Healthcheck)
	}
}
