package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/distribution/reference"
)

// fieldErrors collects what is wrong with a Job, so that all is reported at once.
// Each error names its field and value, and says what to do.
type fieldErrors []error

// add formats an error as fmt.Errorf does.
func (p *fieldErrors) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// err joins the errors; nil = none.
func (p fieldErrors) err() error { return errors.Join(p...) }

// image parses Job.Image and tells whether it may be pulled.
func (p *fieldErrors) image(image string) (ref string, pull bool) {
	if image == "" {
		p.add(`Image is empty: want a name such as "golang:1.26", or an image ID`)
		return "", false
	}
	parsed, err := reference.ParseAnyReference(image)
	if err != nil {
		p.add(`Image %q: %w; want a name such as "golang:1.26", or an image ID`, image, err)
		return "", false
	}
	named, ok := parsed.(reference.Named)
	if !ok {
		return parsed.String(), false
	}
	return reference.TagNameOnly(named).String(), true
}

// command checks Job.Cmd.
func (p *fieldErrors) command(cmd []string) {
	if len(cmd) == 0 {
		p.add(`Cmd is empty: want the command to run, such as ["go", "test"]`)
	}
	for i, arg := range cmd {
		if why := notText(arg); why != "" {
			p.add("Cmd[%d] %q %s", i, arg, why)
		}
	}
}

// environment checks Job.Env.
func (p *fieldErrors) environment(env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case name == "":
			p.add("Env has an empty name, with the value %q; name it", env[name])
		case strings.Contains(name, "="):
			p.add(`Env name %q holds "="; remove it`, name)
		case notText(name) != "":
			p.add("Env name %q %s", name, notText(name))
		case notText(env[name]) != "":
			p.add("Env[%q] %q %s", name, env[name], notText(env[name]))
		}
	}
}

var (
	networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	networkID   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// network admits a closed set: "none", "bridge", or what can be the name of a
// user-defined network, which the engine is asked about.
func (p *fieldErrors) network(name string) {
	const want = `use "none", "bridge" or the name of a user-defined network`
	switch {
	case name == "host" || name == "default" || strings.HasPrefix(name, "container:") || strings.HasPrefix(name, "ns:"):
		p.add("Limits.Network %q is not isolated; %s", name, want)
	case networkID.MatchString(name):
		p.add("Limits.Network %q is an ID; %s", name, want)
	case !networkName.MatchString(name):
		p.add("Limits.Network %q is malformed; %s", name, want)
	}
}

// notText says why a value cannot be handed to the engine, or "".
func notText(value string) string {
	switch {
	case strings.ContainsRune(value, 0):
		return "holds a NUL byte; remove it"
	case !utf8.ValidString(value):
		return "is not valid UTF-8, and the engine's API carries nothing else; rename it"
	}
	return ""
}
