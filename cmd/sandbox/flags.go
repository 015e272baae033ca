package main

import (
	"errors"
	"path"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"github.com/synchestra-io/sandbox"
)

// runFlags are those of run.
type runFlags struct {
	engine                                 *engineFlags
	image, input, inputDir, output         string
	noInput, git, withGit, force, noStdin  bool
	json, quiet, verbose                   bool
	collect, env, mounts, allow            []string
	workDir, network, runtime, platform    string
	setup, setupNetwork, egressImage       string
	setupTimeout                           time.Duration
	pull                                   pullFlag
	limits                                 sandbox.Limits
	memory, disk, logBytes, artifactsBytes size
}

// register adds the flags. The image can also be in SANDBOX_IMAGE.
func (f *runFlags) register(flags *pflag.FlagSet) {
	flags.SetInterspersed(false) // what follows the command is its own
	flags.StringVarP(&f.image, "image", "i", envOr("SANDBOX_IMAGE", ""), "`image` with the programs; or SANDBOX_IMAGE")
	flags.StringVar(&f.input, "input", ".", "`directory`, or tar archive, that is copied in; - is an archive on stdin")
	flags.StringVar(&f.inputDir, "input-dir", sandbox.DefaultInputDir, "`directory` in the container that it is copied to")
	flags.BoolVar(&f.noInput, "no-input", false, "copy nothing in")
	flags.BoolVar(&f.git, "git", false, "leave out what .gitignore names, as git does")
	flags.BoolVar(&f.withGit, "with-git", false, "copy .git, too, both ways")
	flags.StringArrayVar(&f.collect, "collect", nil, "`path` of a file or directory to copy back, relative to --input-dir; may be repeated")
	flags.StringVarP(&f.output, "output", "o", ".", "`directory` that these are copied to")
	flags.BoolVar(&f.force, "force", false, "overwrite files there")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "`name=value` of a variable, or the name of one to pass on; may be repeated")
	flags.StringVarP(&f.workDir, "workdir", "w", "", "`directory` that the command starts in (default --input-dir)")
	flags.StringArrayVar(&f.mounts, "mount", nil, "`source:target[:rw]` of a directory of the engine's host, read-only by default; may be repeated")
	flags.Float64Var(&f.limits.CPUs, "cpus", 0, "`number` of CPUs, such as 1.5; 0 = no limit")
	flags.VarP(&f.memory, "memory", "m", "`size` of memory, such as 512m; 0 = no limit")
	flags.Int64Var(&f.limits.PIDs, "pids", 0, "`number` of processes; 0 = no limit")
	flags.DurationVar(&f.limits.Timeout, "timeout", 0, "`time` until the command is killed, such as 30s; 0 = no limit")
	flags.StringVar(&f.network, "network", "", "`name` of a network, none, or bridge, the default; none with --allow and --setup")
	flags.Var(&f.disk, "disk", "`size` of all that the command can write, such as 1g; 0 = no limit")
	flags.Var(&f.artifactsBytes, "artifact-bytes", "`size` of all that is copied back (default 256m)")
	flags.Var(&f.logBytes, "log-bytes", "`size` of the output in --json (default 64m)")
	flags.StringVar(&f.setup, "setup", "", "`command` for sh -c that runs first, with a network of its own, such as a download")
	flags.StringVar(&f.setupNetwork, "setup-network", "", "`name` of the network of --setup; bridge by default, or the hosts of --allow")
	flags.DurationVar(&f.setupTimeout, "setup-timeout", 0, "`time` until --setup is killed; 0 = no limit")
	flags.StringArrayVar(&f.allow, "allow", nil, "`host:port` that may be reached, and nothing else, by a proxy; may be repeated")
	flags.StringVar(&f.egressImage, "egress-image", "", "`image` of that proxy (default: it is made of this program)")
	flags.StringVar(&f.runtime, "runtime", "", "OCI `runtime`, such as runsc for gVisor")
	flags.Var(&f.pull, "pull", "`when` the image is pulled: missing, always or never")
	flags.StringVar(&f.platform, "platform", "", "`platform` of the image, such as linux/arm64")
	flags.BoolVar(&f.noStdin, "no-stdin", false, "give the command an empty standard input")
	flags.BoolVar(&f.json, "json", false, "write the result to stdout as JSON, with the output in it")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing of pulls and uploads")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log steps and their times to stderr")
}

// job is the job that the flags describe, but for its streams.
func (f *runFlags) job(command []string) (j sandbox.Job, err error) {
	if f.image == "" {
		return j, errors.New("there is no image; name one by --image or SANDBOX_IMAGE, such as --image golang:1.26")
	}
	if err := f.check(); err != nil {
		return j, err
	}
	j = sandbox.Job{Image: f.image, Cmd: command, InputDir: f.inputDir, WorkDir: f.workDir, Limits: f.limits}
	if f.workDir == "" && !f.noInput {
		j.WorkDir = f.inputDir
	}
	if j.Env, err = environment(f.env); err != nil {
		return j, err
	}
	if j.Mounts, err = mounts(f.mounts); err != nil {
		return j, err
	}
	for _, p := range f.collect {
		if !path.IsAbs(p) {
			p = path.Join(f.inputDir, p)
		}
		j.Collect = append(j.Collect, p)
	}
	j.Limits.MemoryMB, j.Limits.DiskMB = f.memory.mebibytes(), f.disk.mebibytes()
	j.Limits.LogBytes, j.Limits.ArtifactBytes, j.Limits.Network = int64(f.logBytes), int64(f.artifactsBytes), f.network
	if f.setup != "" {
		j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", f.setup}, Network: f.setupNetwork, Timeout: f.setupTimeout}
	}
	return j, nil
}

// check refuses flags that would have no effect.
func (f *runFlags) check() error {
	for _, c := range []struct {
		given bool
		with  bool
		say   string
	}{
		{f.setupNetwork != "" || f.setupTimeout != 0, f.setup != "", "--setup-network and --setup-timeout are for --setup; add that, or leave them out"},
		{f.egressImage != "", len(f.allow) > 0, "--egress-image is for --allow; add that, or leave it out"},
		{f.logBytes != 0, f.json, "--log-bytes is for --json; add that, or leave it out"},
		{f.git, !f.withGit, "--git and --with-git exclude each other; use one of them"},
		{f.git || f.withGit, !f.noInput, "--git and --with-git are about the input, and --no-input leaves that out"},
	} {
		if c.given && !c.with {
			return errors.New(c.say)
		}
	}
	return nil
}

// size is a number of bytes, such as 512m: units are of 1024.
type size int64

func (s *size) Set(text string) error {
	n, err := units.RAMInBytes(text)
	if err != nil || n < 0 || n == 0 && strings.ContainsAny(text, "123456789") {
		return errors.New("want a size such as 512m or 2g")
	}
	*s = size(n)
	return nil
}

func (s *size) Type() string { return "size" }
func (s *size) String() string {
	return strings.ToLower(strings.TrimSuffix(units.CustomSize("%.4g%s", float64(*s), 1024, []string{"", "k", "m", "g", "t"}), ".0"))
}

// mebibytes rounds up: what was asked for is available.
func (s *size) mebibytes() int64 { return (int64(*s) + 1<<20 - 1) >> 20 }

// pullFlag is a pull policy by name.
type pullFlag struct{ policy sandbox.PullPolicy }

var policies = map[string]sandbox.PullPolicy{"missing": sandbox.PullMissing, "always": sandbox.PullAlways, "never": sandbox.PullNever}

func (p *pullFlag) Set(text string) error {
	policy, ok := policies[text]
	if !ok {
		return errors.New("want missing, always or never")
	}
	p.policy = policy
	return nil
}

func (p *pullFlag) Type() string { return "when" }

func (p *pullFlag) String() string {
	for name, policy := range policies {
		if policy == p.policy {
			return name
		}
	}
	return ""
}
