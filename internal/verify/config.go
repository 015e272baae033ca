package verify

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"
)

// configRules are the fields of Config that an engine fills in, from the image or by
// itself. The rest comes back as it was sent.
var configRules = map[string]rule{
	"Hostname": func(want, got reflect.Value, _ Sent) string {
		if want.String() == "" { // the engine makes one up, which nothing trusts
			return ""
		}
		return differ(got.String(), want.String())
	},
	"ExposedPorts": ignored, // the image's; nothing is published, see PortBindings
	"OnBuild":      ignored, // for builds
	"Shell":        ignored, // for builds
	"ArgsEscaped":  ignored, // Windows
	"StopSignal":   ignored, // the image's; a job is killed, never stopped
	"Labels":       labels,
	"Env":          environment,
	"Entrypoint": func(want, got reflect.Value, sent Sent) string {
		list := got.Interface().(strslice.StrSlice)
		if want.Len() == 0 && sent.Image == nil {
			return ""
		}
		return differList(list, sent.entrypoint())
	},
	"WorkingDir": func(want, got reflect.Value, sent Sent) string {
		dir := want.String()
		if dir == "" && sent.Image == nil {
			return ""
		}
		if dir == "" {
			dir = sent.Image.WorkingDir
		}
		return differ(path.Join("/", got.String()), path.Join("/", dir))
	},
	"Volumes": func(want, got reflect.Value, sent Sent) string {
		volumes := func(v reflect.Value) (paths []string) {
			for p := range v.Interface().(map[string]struct{}) {
				paths = append(paths, path.Clean(p))
			}
			return paths
		}
		if sent.Image == nil {
			return ""
		}
		return differList(sorted(volumes(got)), sorted(append(volumes(want), sent.Image.Volumes...)))
	},
	// The engine fills in the image's intervals, of no use to a check that is off.
	"Healthcheck": func(want, got reflect.Value, _ Sent) string {
		test := func(v reflect.Value) []string {
			if v.IsNil() {
				return nil
			}
			return v.Interface().(*container.HealthConfig).Test
		}
		return differList(test(got), test(want))
	},
}

func ignored(_, _ reflect.Value, _ Sent) string { return "" }

// differList is differ for lists, where nil is empty.
func differList(got, want []string) string {
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("was sent as %q, and the engine has %q", want, got)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// labels must be there as they were sent. Others are the image's, or those of tools
// such as Docker Desktop, and nothing here goes by them.
func labels(want, got reflect.Value, _ Sent) string {
	have := got.Interface().(map[string]string)
	sent := want.Interface().(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if value, found := have[name]; !found || value != sent[name] {
			return fmt.Sprintf("was sent with %s %q, and the engine has %q", name, sent[name], value)
		}
	}
	return ""
}

// environment is what was sent, and the image's variables that were not sent. If a name
// occurs twice in the image, the engine may drop either. Values can be secrets, so only
// names are told.
func environment(want, got reflect.Value, sent Sent) string {
	name := func(e string) string { n, _, _ := strings.Cut(e, "="); return n }
	sets := func(list []string) (whole, names map[string]bool) {
		whole, names = map[string]bool{}, map[string]bool{}
		for _, e := range list {
			whole[e], names[name(e)] = true, true
		}
		return whole, names
	}
	list := got.Interface().([]string)
	have, named := sets(list)
	ours, oursNamed := sets(want.Interface().([]string))
	var images map[string]bool
	if sent.Image != nil {
		images, _ = sets(sent.Image.Env)
	}
	for _, e := range list {
		if !ours[e] && (oursNamed[name(e)] || sent.Image != nil && !images[e]) {
			return fmt.Sprintf("has a value of %q at the engine that was not sent and is not the image's", name(e))
		}
	}
	for e := range ours {
		if !have[e] {
			return fmt.Sprintf("was sent with %q, and the engine does not have it", name(e))
		}
	}
	for e := range images {
		if !named[name(e)] {
			return fmt.Sprintf("lacks the image's %q at the engine", name(e))
		}
	}
	return ""
}

// entrypoint is what was sent, or else the image's.
func (s Sent) entrypoint() []string {
	if len(s.Config.Entrypoint) == 0 && s.Image != nil {
		return s.Image.Entrypoint
	}
	return s.Config.Entrypoint
}

// program compares what the engine is going to execute, and from which image.
func (d *differences) program(sent Sent, got container.InspectResponse) {
	if sent.Image == nil {
		return
	}
	if got.Image != sent.Image.ID {
		d.add("Image", sent.Image.ID, got.Image)
	}
	want := slices.Concat(sent.entrypoint(), sent.Config.Cmd)
	if have := append([]string{got.Path}, got.Args...); !slices.Equal(want, have) {
		d.add("Path and Args", want, have)
	}
}
