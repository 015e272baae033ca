package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/synchestra-io/sandbox/isolation"
)

// What one would use instead for a job with an input and an artifact. None of these makes
// a directory that the user of a read-only container can write to and that outlasts it, so
// they run as root, without capabilities, in a writable root file system.
const copyInput = "cp /dir0/file0 /out"

// dockerCopies is the docker command five times: create, cp, start, cp, rm.
func (b *bench) dockerCopies(ctx context.Context) error {
	name := "sandbox-bench-" + randomName()
	args := append([]string{"create", "--name", name}, b.flags("none")...)
	args = append(append(args, b.image), strings.Fields(copyInput)...)
	err := docker(ctx, nil, args...)
	if err == nil {
		err = docker(ctx, tree(1, 1<<10), "cp", "-", name+":/")
	}
	if err == nil {
		err = docker(ctx, nil, "start", "--attach", name)
	}
	if err == nil {
		err = docker(ctx, nil, "cp", name+":/out", "-")
	}
	return errors.Join(err, docker(ctx, nil, "rm", "--force", name))
}

// testcontainers is the same by testcontainers-go, without its reaper.
func (b *bench) testcontainers(ctx context.Context) (err error) {
	hardened := isolation.Staging(nil, nil) // the preset with a writable root file system
	hardened.SecurityOpt = isolation.Preset{StrictSeccomp: true}.HostConfig().SecurityOpt
	text, err := json.Marshal(hardened)
	if err != nil {
		return err
	}
	var theirs container.HostConfig // the same type of another module
	if err := json.Unmarshal(text, &theirs); err != nil {
		return err
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		Started: true,
		Logger:  quiet{},
		ContainerRequest: testcontainers.ContainerRequest{
			Image: b.image, Cmd: strings.Fields(copyInput),
			HostConfigModifier: func(h *container.HostConfig) { *h = theirs },
			Files:              []testcontainers.ContainerFile{{Reader: strings.NewReader(strings.Repeat("x", 1<<10)), ContainerFilePath: "/dir0/file0", FileMode: 0o644}},
			WaitingFor:         wait.ForExit().WithPollInterval(5 * time.Millisecond), // it looks every 100 ms otherwise
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Terminate(ctx)) }()
	state, err := c.State(ctx)
	if err != nil {
		return err
	}
	if state.ExitCode != 0 {
		return fmt.Errorf("exit status %d", state.ExitCode)
	}
	out, err := c.CopyFileFromContainer(ctx, "/out")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, out)
	return errors.Join(err, out.Close())
}

// quiet is a logger.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Printf(string, ...any) {}

func init() { os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") } // read when the first container is made
