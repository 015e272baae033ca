// Package verify compares what an engine says of a container, before its start, with
// what it was sent. An engine may discard a limit that it does not support and only
// warn about it, and something between the client and the engine may edit a request.
package verify

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/docker/docker/api/types/container"
)

// Sent is what a create request had, and what the engine is known to add to it.
type Sent struct {
	Host   *container.HostConfig
	Config *container.Config
	Image  *Image // nil = unknown: whatever an image can add passes
	// DefaultRuntime is the engine's; "" = unknown.
	DefaultRuntime string
	// Podman tells that the engine says it all in Podman's words.
	Podman bool
	// CountsSwap tells that the engine enforces a limit on swap. Where it does not, it
	// reports -1.
	CountsSwap bool
}

// Image is what an engine takes from an image if the request has no value of its own,
// or in addition to it.
type Image struct {
	ID         string
	Env        []string
	Entrypoint []string
	WorkingDir string
	Volumes    []string // clean paths
}

// Container compares all that an engine says of a container. The error names every
// field in which it differs.
func Container(sent Sent, got container.InspectResponse) error {
	if got.ContainerJSONBase == nil {
		return errNoConfiguration
	}
	if sent.Podman && got.HostConfig != nil && got.Config != nil {
		got = inDockersWords(sent, got)
	}
	err := Configuration(sent, got.HostConfig, got.Config)
	if errors.Is(err, errNoConfiguration) {
		return err
	}
	var d differences
	d.program(sent, got)
	d.mountPoints(sent.Host.Mounts, got.Mounts)
	d.networks(sent, got)
	return errors.Join(append([]error{err}, d...)...)
}

// Configuration compares the two halves of a container's configuration alone.
func Configuration(sent Sent, host *container.HostConfig, config *container.Config) error {
	if host == nil || config == nil {
		return errNoConfiguration
	}
	var d differences
	d.fields("HostConfig.", reflect.ValueOf(*sent.Host), reflect.ValueOf(*host), sent, hostRules)
	d.fields("Config.", reflect.ValueOf(*sent.Config), reflect.ValueOf(*config), sent, configRules)
	return errors.Join(d...)
}

var errNoConfiguration = errors.New("the engine's answer has no configuration")

// rule compares a field that an engine may report in another way than it was sent. It
// returns what is wrong with it, to be read behind the field's name, or "".
type rule func(field, got reflect.Value, sent Sent) string

// differences collects one error per field.
type differences []error

func (d *differences) add(field string, sent, got any) {
	*d = append(*d, fmt.Errorf("%s was sent as %v, and the engine has %v", field, sent, got))
}

// fields compares two structs of one type, field by field. What has no rule must come
// back as it was sent: so must fields that are new in the SDK.
func (d *differences) fields(prefix string, want, got reflect.Value, sent Sent, rules map[string]rule) {
	for i := range want.NumField() {
		field := want.Type().Field(i)
		w, g := want.Field(i), got.Field(i)
		compare, special := rules[field.Name]
		switch {
		case field.Anonymous: // Resources
			d.fields(prefix, w, g, sent, rules)
		case special:
			if wrong := compare(w, g, sent); wrong != "" {
				*d = append(*d, fmt.Errorf("%s%s %s", prefix, field.Name, wrong))
			}
		case w.Kind() == reflect.Struct:
			d.fields(prefix+field.Name+".", w, g, sent, nil)
		case !same(w, g):
			d.add(prefix+field.Name, shown(w), shown(g))
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
	switch list := v.Interface().(type) {
	case []*container.Ulimit:
		texts := make([]string, len(list))
		for i, u := range list {
			texts[i] = u.String()
		}
		return texts
	case []string:
		texts := make([]string, len(list))
		for i, text := range list {
			if len(text) > 100 { // a seccomp profile
				text = text[:100] + "…"
			}
			texts[i] = text
		}
		return texts
	}
	return v.Interface()
}
