package sandbox

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/synchestra-io/sandbox/internal/claims"
	"github.com/synchestra-io/sandbox/internal/dockerx"
	"github.com/synchestra-io/sandbox/internal/stdio"
	"github.com/synchestra-io/sandbox/internal/validate"
	"github.com/synchestra-io/sandbox/isolation"
)

// plan is a valid Job: copied, with clean paths and every default filled in.
type plan struct {
	image    string
	pull     bool
	command          // the job's
	setup    command // that runs before it; its cmd is empty if there is none
	workDir  string
	mounts   []Mount
	input    *stdio.Source
	inputDir string
	collect  []string
	output   io.Writer // of the collected files, nil = memory
	limits   Limits
	internal []string          // of the networks, those without a way out
	joined   map[string]string // IDs of the containers that stand for networks, by these
}

// command is what runs in one container.
type command struct {
	cmd            []string
	env            map[string]string
	network        string
	timeout        time.Duration
	stdin          *stdio.Source
	stdout, stderr io.Writer
}

// newPlan is the only place where a Job is read. It reports all problems at
// once. No job may mount the socket at engineHost, the engine's address, nor others.
func newPlan(j Job, engineHost string, others ...string) (plan, error) {
	var bad validate.FieldErrors
	p := plan{
		workDir: bad.OptionalPath("WorkDir", j.WorkDir),
		input:   stdio.NewSource(j.InputTar),
		output:  j.OutputTar,
		limits:  j.Limits.withDefaults(),
	}
	p.command = command{
		cmd: slices.Clone(j.Cmd), env: maps.Clone(j.Env), network: p.limits.Network, timeout: p.limits.Timeout,
		stdin: stdio.NewSource(j.Stdin), stdout: j.Stdout, stderr: j.Stderr,
	}
	p.image, p.pull = bad.Image(j.Image)
	bad.Command("Cmd", j.Cmd)
	bad.Environment("Env", j.Env)
	j.Limits.check(&bad)
	if p.inputDir = bad.OptionalPath("InputDir", j.InputDir); p.inputDir == "" {
		p.inputDir = DefaultInputDir
	}
	p.collect = bad.Collect(j.Collect)
	if j.OutputTar != nil {
		bad.Inside(p.collect, p.inputDir)
	}
	p.setMounts(j.Mounts, &bad)
	if p.setup = j.Setup.plan(&bad, j.Env); p.hasSetup() {
		bad.NestedSources(p.sources(), p.writableSources(), engineHost)
	}
	bad.HostPaths(p.sources(), engineHost, slices.Concat(validate.EnginePaths, others))
	if j.InputTar != nil || j.InputDir != "" {
		bad.InputDir(p.inputDir, p.targets())
	}
	p.checkArguments(&bad, dockerx.Image{})
	return p, bad.Err()
}

// setMounts takes on the mounts, checked and clean.
func (p *plan) setMounts(mounts []Mount, bad *validate.FieldErrors) {
	p.mounts = slices.Clone(mounts)
	for i, target := range bad.Targets(p.targets()) {
		p.mounts[i].Target = target
		p.mounts[i].Source = bad.Source(i, mounts[i].Source)
	}
}

func (p *plan) targets() (list []string) {
	for _, m := range p.mounts {
		list = append(list, m.Target)
	}
	return list
}

func (p *plan) sources() (list []string) {
	for _, m := range p.mounts {
		list = append(list, m.Source)
	}
	return list
}

func (p *plan) writableSources() (list []string) {
	for _, m := range p.mounts {
		if !m.ReadOnly {
			list = append(list, m.Source)
		}
	}
	return list
}

// claims is the table of who owns which path of the run, on Podman or Docker. dirs are the
// run's writable directories.
//
// Collect paths are not in it. The engine looks at them only after the command has
// ended, when links at or above them are not followed. The command could make such
// links itself, and an input may contain a file that it writes again and that is
// collected. The names that this package gives to its own objects are random: the input
// cannot know them, and none of them is inside InputDir.
func (p plan) claims(image dockerx.Image, dirs []directory, podman bool) claims.Table {
	var table claims.Table
	for i, m := range p.mounts {
		table.Directory(m.Target, fmt.Sprintf("Mounts[%d].Target", i))
	}
	for _, d := range dirs {
		by := "the writable directory"
		if slices.Contains(image.Volumes, d.path) {
			by = "the image's VOLUME"
		}
		table.Directory(d.path, by)
	}
	// A mount hides what the input has at its target and below.
	switch {
	case p.workDir != "" && !p.mounted(p.workDir):
		table.Directory(p.workDir, "WorkDir")
	case p.workDir == "" && !p.mounted(image.WorkDir):
		table.Directory(image.WorkDir, "the image's WORKDIR")
	}
	files := engineFiles
	if podman {
		files = podmanFiles
		for _, dir := range isolation.PodmanTmpfs() {
			if !p.mounted(dir) {
				table.Directory(dir, "the engine's own directory")
			}
		}
	}
	for _, file := range files {
		if !p.mounted(file) {
			table.File(file, "the engine's own file")
		}
	}
	return table
}

// engineFiles are what the engine mounts in every container. The last one is the init.
var engineFiles = []string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/sbin/docker-init"}

// explainCreate names the field when only the engine can tell that a working
// directory is a file, or that a mount's source is missing.
func (p plan) explainCreate(err error) error {
	if err == nil {
		return nil
	}
	if p.workDir != "" && strings.HasSuffix(err.Error(), "Cannot mkdir: "+p.workDir+" is not a directory") {
		return fmt.Errorf("WorkDir %q is a file in the image; want a directory: %w", p.workDir, err)
	}
	if !errdefs.IsInvalidArgument(err) {
		return err
	}
	for i, m := range p.mounts {
		if strings.HasSuffix(err.Error(), "bind source path does not exist: "+m.Source) {
			return absentSource(i, m, err)
		}
	}
	return err
}

func absentSource(i int, m Mount, err error) error {
	return fmt.Errorf("Mounts[%d].Source %q does not exist on the engine's host; create it first: %w", i, m.Source, err)
}

// checkArguments checks the size of what the commands are started with, together with what
// the image and the engine add.
func (p plan) checkArguments(bad *validate.FieldErrors, image dockerx.Image) {
	p.command.checkArguments(bad, "Cmd and Env", p.home(), image)
	if p.hasSetup() {
		p.setup.checkArguments(bad, "Setup.Cmd, Setup.Env and Env", p.home(), image)
	}
}

func (c command) checkArguments(bad *validate.FieldErrors, fields, home string, image dockerx.Image) {
	env := c.environ(home, image.Env)
	set := map[string]bool{}
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		set[name] = true
	}
	others := append([]string{"/sbin/docker-init", "--", "HOSTNAME=0123456789ab", "PATH=" + usualPath}, image.Entrypoint...)
	for _, e := range image.Env {
		if name, _, _ := strings.Cut(e, "="); !set[name] {
			others = append(others, e)
		}
	}
	bad.Arguments(fields, c.cmd, env, others)
}

// usualPath is what the engine adds if nobody sets a PATH.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the container's environment beside the image's own.
func (c command) environ(home string, imageEnv []string) []string {
	env := maps.Clone(c.env)
	if env == nil {
		env = map[string]string{}
	}
	for name, value := range toolchainEnv(home, imageEnv, c.env) {
		if _, set := env[name]; !set {
			env[name] = value
		}
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// toolchainEnv is what toolchains need under a read-only root filesystem, over
// the image's ENV and under Job.Env.
func toolchainEnv(home string, imageEnv []string, jobEnv map[string]string) map[string]string {
	if own, ok := jobEnv["HOME"]; ok {
		home = own
	}
	if home == "" {
		return nil
	}
	// The user has no passwd entry, so HOME would be "/", where go, npm and pip
	// cannot make their caches.
	env := map[string]string{"HOME": home}
	_, gopath := jobEnv["GOPATH"]
	sets := func(v string) bool { return strings.HasPrefix(v, "GOPATH=") }
	if !gopath && slices.ContainsFunc(imageEnv, sets) {
		// golang's images set GOPATH=/go, whose pkg/mod is read-only here.
		env["GOMODCACHE"] = home + "/go/pkg/mod"
	}
	return env
}
