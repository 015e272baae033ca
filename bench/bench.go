package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/rootfs"
	"github.com/synchestra-io/sandbox/isolation"
)

// bench has the engine, and what all pairs share.
type bench struct {
	api     *client.Client
	runner  *sandbox.Runner
	logging *sandbox.Runner // has a Logger
	image   string
	profile string // a file with the preset's seccomp profile
}

func newBench(ctx context.Context) (*bench, error) {
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	if _, err := api.Ping(ctx); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, fmt.Errorf("the docker command is one side of most pairs: %w", err)
	}
	b := &bench{api: api, image: "sandbox-bench/busybox:" + randomName()}
	if b.runner, err = sandbox.New(sandbox.Options{}); err != nil {
		return nil, err
	}
	if b.logging, err = sandbox.New(sandbox.Options{Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}); err != nil {
		return nil, err
	}
	if b.profile, err = writeProfile(); err != nil {
		return nil, err
	}
	if err := b.importBusybox(ctx); err != nil {
		return nil, errors.Join(err, os.Remove(b.profile))
	}
	return b, nil
}

// writeProfile writes the seccomp profile for docker run, which takes a file.
func writeProfile() (name string, err error) {
	f, err := os.CreateTemp("", "sandbox-bench-*.json")
	if err != nil {
		return "", err
	}
	for _, option := range (isolation.Preset{StrictSeccomp: true}).HostConfig().SecurityOpt {
		if profile, found := strings.CutPrefix(option, "seccomp="); found {
			_, err = f.WriteString(profile)
		}
	}
	return f.Name(), errors.Join(err, f.Close())
}

func randomName() string {
	id := make([]byte, 8)
	rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func (b *bench) close() error {
	closeErr := errors.Join(b.runner.Close(), b.logging.Close())
	_, err := b.api.ImageRemove(context.Background(), b.image, image.RemoveOptions{Force: true, PruneChildren: true})
	return errors.Join(closeErr, err, b.api.Close(), os.Remove(b.profile))
}

func (b *bench) importBusybox(ctx context.Context) error {
	files, err := rootfs.Busybox()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "importing image", b.image+", removed at the end")
	source := image.ImportSource{Source: bytes.NewReader(files), SourceName: "-"}
	answer, err := b.api.ImageImport(ctx, source, b.image, image.ImportOptions{})
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return err
}

// job is a command without network; everything else is RunOnce's default.
func (b *bench) job(command ...string) sandbox.Job {
	return sandbox.Job{Image: b.image, Cmd: command, Limits: sandbox.Limits{Network: "none"}}
}

// target is the one that counts for the engine.
func (b *bench) target(t targets) float64 {
	if versions.LessThan(b.api.ClientVersion(), "1.45") {
		return t.old
	}
	return t.now
}

// kept is one side: a job, made anew for each run, by a Runner that is kept.
func (b *bench) kept(job func() sandbox.Job) func(context.Context) error {
	return func(ctx context.Context) error {
		res, err := b.runner.RunOnce(ctx, job())
		return check(res.ExitCode, err)
	}
}

// runOnce is one side: a job, made anew for each run.
func runOnce(job func() sandbox.Job) func(context.Context) error {
	return func(ctx context.Context) error {
		res, err := sandbox.RunOnce(ctx, job())
		return check(res.ExitCode, err)
	}
}

func check(status int, err error) error {
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	return err
}

// tmpfsOptions are those of /workspace and /tmp in a job without input and
// artifacts, as RunOnce makes them.
const tmpfsOptions = "exec,mode=0755,size=2147483648,nr_inodes=262144,nosuid,nodev,uid=65532,gid=65532"

// flags are those of the preset for the docker command, but for the user and what is
// writable.
func (b *bench) flags(network string) []string {
	return []string{
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", "seccomp=" + b.profile,
		"--init", "--log-driver", "none", "--network", network, "--ipc", "private", "--cgroupns", "private",
		"--ulimit", "core=0:0", "--ulimit", "nofile=1024:4096", "--oom-score-adj", "500", "--shm-size", "67108864", "--no-healthcheck",
	}
}

// dockerRun is docker run with the flags of the preset.
func (b *bench) dockerRun(command ...string) func(context.Context) error {
	return b.dockerRunOn("none", command...)
}

func (b *bench) dockerRunOn(network string, command ...string) func(context.Context) error {
	args := append([]string{"run", "--rm"}, b.flags(network)...)
	args = append(args, "--user", isolation.NonRootUser, "--read-only",
		"--tmpfs", "/workspace:"+tmpfsOptions, "--tmpfs", "/tmp:"+tmpfsOptions, "--env", "HOME=/tmp", b.image)
	args = append(args, command...)
	return func(ctx context.Context) error { return docker(ctx, nil, args...) }
}

// docker runs the docker command; its output goes to /dev/null.
func docker(ctx context.Context, stdin io.Reader, args ...string) error {
	var text bytes.Buffer
	run := exec.CommandContext(ctx, "docker", args...)
	run.Stdin, run.Stderr = stdin, &text
	if err := run.Run(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], err, &text)
	}
	return nil
}

// bareSDK is the least that a program can ask of the engine for one run with the preset.
func (b *bench) bareSDK(command ...string) func(context.Context) error {
	return b.bareSDKWith(func(*container.HostConfig) {}, command...)
}

// bareSDKWith is bareSDK with another configuration than the preset's.
func (b *bench) bareSDKWith(change func(*container.HostConfig), command ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		name := "sandbox-bench-" + randomName()
		host := isolation.Preset{
			NetworkMode: "none", StrictSeccomp: true, Tmpfs: map[string]string{"/workspace": tmpfsOptions, "/tmp": tmpfsOptions},
		}.HostConfig()
		change(host)
		config := isolation.Config(b.image, command, []string{"HOME=/tmp"}, "", nil, false)
		if _, err := b.api.ContainerCreate(ctx, config, host, nil, nil, name); err != nil {
			return err
		}
		out, err := b.api.ContainerAttach(ctx, name, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
		if err != nil {
			return err
		}
		defer out.Close()
		drained := make(chan error, 1)
		go func() {
			_, err := stdcopy.StdCopy(io.Discard, io.Discard, out.Reader)
			drained <- err
		}()
		exits, errs := b.api.ContainerWait(ctx, name, container.WaitConditionNextExit)
		if err := b.api.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
			return err
		}
		var status int
		select {
		case exit := <-exits:
			status = int(exit.StatusCode)
		case err := <-errs:
			return err
		}
		err = errors.Join(<-drained, b.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true}))
		return check(status, err)
	}
}

// dockerCp copies a tar into a container that has not started, as one would to
// hand it input, and removes the container.
func (b *bench) dockerCp(tree func() io.Reader) func(context.Context) error {
	return func(ctx context.Context) error {
		name := "sandbox-bench-" + randomName()
		config := isolation.Config(b.image, []string{"true"}, nil, "", nil, false)
		if _, err := b.api.ContainerCreate(ctx, config, isolation.Staging(nil, nil), nil, nil, name); err != nil {
			return err
		}
		if err := docker(ctx, tree(), "cp", "-", name+":/tmp"); err != nil {
			return err
		}
		return b.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true})
	}
}
