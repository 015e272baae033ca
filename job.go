package sandbox

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// DefaultInputDir is where InputTar is unpacked when Job.InputDir is empty.
const DefaultInputDir = "/workspace"

// Job is one command and what it needs. RunOnce reads it once, at its start,
// and keeps nothing of it but its readers and writers.
type Job struct {
	// Image names the image that carries the toolchain: a name with a tag or
	// digest ("latest" if it has neither), or an image ID. It is pulled,
	// anonymously, if the engine does not have it; an ID is never pulled.
	Image string
	// Cmd is the command and its arguments; no shell is involved. An image's
	// ENTRYPOINT is put before it. It must not be empty.
	Cmd []string
	// Env adds to the image's environment and wins over it. HOME is set to a
	// writable directory unless it is here.
	Env map[string]string
	// WorkDir is the absolute directory that the command starts in;
	// "" = the image's WORKDIR. One that does not exist is made, empty and
	// not writable, by the engine as root; below a writable mount that leaves
	// a directory on the host.
	WorkDir string
	// Mounts are bind mounts of the engine's host, for trusted data.
	//
	// Security: the command reads all of it, and writes it if ReadOnly is
	// false. That is discouraged, and the one way to hand out host files.
	Mounts []Mount
	// InputTar is the source tree, a plain tar; nil = none. It is read once, as
	// a stream, and not closed. See the package's comment for what is accepted.
	// A Read that never returns keeps one goroutine after RunOnce has returned.
	InputTar io.Reader
	// InputDir is the absolute directory that InputTar is unpacked into;
	// "" = DefaultInputDir. It is writable also without InputTar.
	InputDir string
	// Collect are the absolute paths, in the container, of files to copy out
	// after the command's end, and of directories whose regular files to copy.
	// A file whose name is not valid UTF-8 comes with its directory only.
	Collect []string
	// Limits bounds the run; its zero value leaves most of it unlimited.
	Limits Limits

	// Stdin is the command's standard input; nil = empty. Its end is passed on;
	// an error of its Read other than io.EOF ends the run. A command that does
	// not read it, or ends first, is no error. A Read that never returns keeps
	// one goroutine after RunOnce has returned.
	Stdin io.Reader
	// Stdout and Stderr get the command's output as it comes, all of it; nil =
	// none. Result.Logs is filled all the same. Both are written to by one
	// goroutine, so they may be the same writer. A slow Write slows the command;
	// one that fails, or panics, ends the run with its error. Five seconds after
	// a kill no Write is waited for any more, nor after the command's own exit a
	// Write that has taken so long: what is missing then is ErrWriterBlocked, and
	// a Write that never returns keeps one goroutine. As long as a Write blocks
	// while more than a megabyte of output is waiting, the engine cannot tell the
	// command's own exit: give such a job a Timeout.
	Stdout, Stderr io.Writer
}

// Mount is a bind mount. Mounts below its source are not passed on.
type Mount struct {
	// Source is an absolute path on the engine's host. It must exist. The
	// engine's own directories and socket, /proc, /sys and /dev are refused.
	Source string
	// Target is an absolute path in the container.
	Target string
	// ReadOnly keeps the command from writing to it. False is discouraged.
	ReadOnly bool
}

// plan is a Job that was found good: copied, clean, with every default in place.
type plan struct {
	image    string
	pull     bool
	cmd      []string
	env      map[string]string
	workDir  string
	mounts   []Mount
	input    io.Reader
	inputDir string
	collect  []string
	limits   Limits

	stdin          io.Reader
	stdout, stderr io.Writer
}

// newPlan is the only place where a Job is read. It reports all problems at
// once. engineHost is the engine's address, whose socket no job may mount.
func newPlan(j Job, engineHost string) (plan, error) {
	var bad problems
	p := plan{
		cmd:     slices.Clone(j.Cmd),
		env:     maps.Clone(j.Env),
		workDir: bad.optionalPath("WorkDir", j.WorkDir),
		input:   j.InputTar,
		limits:  j.Limits.withDefaults(),
		stdin:   j.Stdin, stdout: j.Stdout, stderr: j.Stderr,
	}
	p.image, p.pull = bad.image(j.Image)
	bad.command(j.Cmd)
	bad.environment(j.Env)
	bad = append(bad, j.Limits.problems()...)
	if p.inputDir = bad.optionalPath("InputDir", j.InputDir); p.inputDir == "" {
		p.inputDir = DefaultInputDir
	}
	p.collect = bad.collect(j.Collect)
	p.mounts = bad.mounts(j.Mounts)
	bad.sources(p.mounts, engineHost, enginePaths)
	if j.InputTar != nil || j.InputDir != "" {
		bad.coveredInput(p.inputDir, p.mounts)
	}
	return p, errors.Join(bad...)
}

// image parses a reference and tells whether it may be pulled.
func (p *problems) image(image string) (ref string, pull bool) {
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

func (p *problems) command(cmd []string) {
	if len(cmd) == 0 {
		p.add(`Cmd is empty: want the command to run, such as ["go", "test"]`)
	}
	for i, arg := range cmd {
		if why := notText(arg); why != "" {
			p.add("Cmd[%d] %q %s", i, arg, why)
		}
	}
}

func (p *problems) environment(env map[string]string) {
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

func (p *problems) collect(paths []string) []string {
	var clean []string
	for i, path := range paths {
		path = p.path(indexed("Collect", i), path)
		if path != "" && slices.Contains(clean, path) {
			p.add("Collect[%d] %q is there twice; remove one", i, path)
		}
		clean = append(clean, path)
	}
	return clean
}
