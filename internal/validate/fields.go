// Package validate checks the values of a Job's fields. Each error names its field
// and the value, and says what to do.
package validate

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

// FieldErrors collects what is wrong with a Job, so that all is reported at once.
// Each error names its field and value, and says what to do.
type FieldErrors []error

// Add formats an error as fmt.Errorf does.
func (p *FieldErrors) Add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// Err joins the errors; nil = none.
func (p FieldErrors) Err() error { return errors.Join(p...) }

// imageID matches the short forms of an image's ID. No engine lets an image have the
// name "sha256".
var imageID = regexp.MustCompile(`^([0-9a-f]{12}|sha256:[0-9a-f]{1,64})$`)

// Image parses Job.Image and tells whether it may be pulled. An ID may not: a registry
// would take it for a name.
func (p *FieldErrors) Image(image string) (ref string, pull bool) {
	if image == "" {
		p.Add(`Image is empty: want a name such as "golang:1.26", or an image ID`)
		return "", false
	}
	if imageID.MatchString(image) {
		return image, false
	}
	parsed, err := reference.ParseAnyReference(image)
	if err != nil {
		p.Add(`Image %q: %w; want a name such as "golang:1.26", or an image ID`, image, err)
		return "", false
	}
	named, ok := parsed.(reference.Named)
	if !ok {
		return parsed.String(), false
	}
	return reference.TagNameOnly(named).String(), true
}

// Registry returns the registry of an image by its full name, such as "docker.io".
func Registry(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	return reference.Domain(named)
}

// Command checks the command in a field such as Cmd.
func (p *FieldErrors) Command(field string, cmd []string) {
	if len(cmd) == 0 {
		p.Add(`%s is empty: want the command to run, such as ["go", "test"]`, field)
	}
	for i, arg := range cmd {
		if len(arg) > maxString {
			p.Add("%s[%d] %.20q… has %s", field, i, arg, tooLong(len(arg)))
		} else if why := NotText(arg); why != "" {
			p.Add("%s[%d] %q %s", field, i, arg, why)
		}
	}
}

// Environment checks the variables in a field such as Env. Values can be secrets, so no
// error has one.
func (p *FieldErrors) Environment(field string, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case name == "":
			p.Add("%s has an empty name; give it a name", field)
		case strings.Contains(name, "="):
			p.Add(`%s name %q… contains "="; put what follows into the value`, field, name[:strings.Index(name, "=")])
		case NotText(name) != "":
			p.Add("%s name %.20q %s", field, name, NotText(name))
		case NotText(env[name]) != "":
			p.Add("%s[%q] has a value that %s", field, name, NotText(env[name]))
		case len(name)+len("=")+len(env[name]) > maxString:
			p.Add("%s[%.20q] has, with its name, %s", field, name, tooLong(len(name)+len("=")+len(env[name])))
		}
	}
}

var (
	networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	networkID   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Network accepts a closed set: "none", "bridge", or what can be the name of a
// user-defined network, which the engine is asked about.
func (p *FieldErrors) Network(field, name string) {
	const want = `use "none", "bridge" or the name of a user-defined network`
	switch {
	case name == "host" || name == "default" || strings.HasPrefix(name, "container:") || strings.HasPrefix(name, "ns:"):
		p.Add("%s %q is not isolated; %s", field, name, want)
	case networkID.MatchString(name):
		p.Add("%s %q is an ID; %s", field, name, want)
	case !networkName.MatchString(name):
		p.Add("%s %q is malformed; %s", field, name, want)
	}
}

// NotText says why a value cannot be sent to the engine, or "".
func NotText(value string) string {
	switch {
	case strings.ContainsRune(value, 0):
		return "contains a NUL byte; remove it"
	case !utf8.ValidString(value):
		return "is not valid UTF-8, which the engine's API requires; change it"
	}
	return ""
}
