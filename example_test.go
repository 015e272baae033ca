package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/synchestra-io/sandbox"
)

// The examples need an engine and images from a registry, so they are compiled
// and not run.

func ExampleRunOnce() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  "alpine:3.22",
		Cmd:    []string{"sh", "-c", "echo hello; exit 3"},
		Limits: sandbox.Limits{Network: "none"},
	})
	var failed *sandbox.Error
	if errors.As(err, &failed) && failed.Op != sandbox.OpCleanup {
		log.Fatal(err) // the run could not be carried out
	}
	if err != nil {
		log.Print(err) // the Result is complete, but something may be left on the engine
	}
	fmt.Printf("exit status %d\n%s", res.ExitCode, res.Logs)
}

// The input is a tar, as git archive writes it. A path that is not there after
// the run is no error; Uncollected says why it is absent.
func ExampleRunOnce_artifacts() {
	archive, err := exec.Command("git", "archive", "HEAD").Output()
	if err != nil {
		log.Fatal(err)
	}
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:    "golang:1.26",
		Cmd:      []string{"go", "test", "-coverprofile=cover.out", "./..."},
		WorkDir:  sandbox.DefaultInputDir,
		InputTar: bytes.NewReader(archive),
		Collect:  []string{"/workspace/cover.out"},
		Limits:   sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	profile, ok := res.Artifacts["/workspace/cover.out"]
	switch reason := res.Uncollected["/workspace/cover.out"]; {
	case ok:
		os.Stdout.Write(profile)
	case errors.Is(reason, fs.ErrNotExist):
		fmt.Printf("no profile was written; the output:\n%s", res.Logs)
	default:
		fmt.Println("not collected:", reason)
	}
}

// Limits.Timeout bounds the command, and is no error. The context bounds all of
// the run, the pull of the image included, and its end is one.
func ExampleRunOnce_timeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	res, err := sandbox.RunOnce(ctx, sandbox.Job{
		Image:  "alpine:3.22",
		Cmd:    []string{"sh", "-c", "echo working; sleep 3600"},
		Limits: sandbox.Limits{Timeout: 30 * time.Second, Network: "none"},
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("given up after 10 minutes:", err)
	case err != nil:
		log.Fatal(err)
	case res.TimedOut:
		fmt.Printf("killed after 30 seconds; the output up to then:\n%s", res.Logs)
	}
}

func ExampleLimits() {
	job := sandbox.Job{
		Image: "python:3.14-slim",
		Cmd:   []string{"python", "-c", "print(sum(range(10**8)))"},
		Limits: sandbox.Limits{
			CPUs:     1.5,
			MemoryMB: 512,
			PIDs:     64,
			Timeout:  time.Minute,
			Network:  "none",
			LogBytes: 1 << 20,
		},
	}
	res, err := sandbox.RunOnce(context.Background(), job)
	if err != nil {
		log.Fatal(err)
	}
	if res.LogsDropped > 0 {
		fmt.Printf("%d bytes are missing in the middle of:\n", res.LogsDropped)
	}
	fmt.Printf("%s", res.Logs)
}
