package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os/exec"
	"time"

	"github.com/synchestra-io/sandbox"
)

// The examples need an engine and these two images, so plain go test compiles
// them and does not run them.
var (
	shell     = "busybox:1.37" // a shell and the usual tools
	toolchain = "golang:1.26"  // the Go toolchain
)

// A command that fails is no error: its exit status is in the Result, which is
// complete also when only the clean-up failed.
func ExampleRunOnce() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", "echo hello; exit 3"},
		Limits: sandbox.Limits{Network: "none"},
	})
	var failed *sandbox.Error
	switch {
	case errors.As(err, &failed) && failed.Op != sandbox.OpCleanup:
		log.Fatal(err) // the run could not be carried out
	case errors.Is(err, sandbox.ErrCleanup):
		log.Print(err) // res is complete all the same; the error names what may be left
	}
	fmt.Printf("exit status %d\n%s", res.ExitCode, res.Logs)
}

// The tests of a Go module run without network, as git archive packs it, and
// their coverage profile comes out.
func ExampleRunOnce_coverage() {
	source, err := exec.Command("git", "archive", "HEAD").Output()
	if err != nil {
		log.Fatal(err)
	}
	const profile = "/workspace/cover.out"
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:    toolchain,
		Cmd:      []string{"go", "test", "-coverprofile=" + profile, "./..."},
		WorkDir:  sandbox.DefaultInputDir,
		InputTar: bytes.NewReader(source),
		Collect:  []string{profile},
		Limits:   sandbox.Limits{MemoryMB: 2048, PIDs: 512, Timeout: 5 * time.Minute, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if res.ExitCode != 0 {
		fmt.Printf("exit status %d, timed out: %t\n%s", res.ExitCode, res.TimedOut, res.Logs)
	}
	fmt.Printf("%s", res.Artifacts[profile])
}

// A command that is killed at the timeout is no error either, and its output up
// to then is kept.
func ExampleRunOnce_timeout() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", "echo working; sleep 3600"},
		Limits: sandbox.Limits{Timeout: 2 * time.Second, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("timed out: %t, exit status %d\n%s", res.TimedOut, res.ExitCode, res.Logs)
}

// The context bounds all of the run, the pull of the image included, and its
// end is an error.
func ExampleRunOnce_cancel() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	res, err := sandbox.RunOnce(ctx, sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sleep", "3600"},
		Limits: sandbox.Limits{Network: "none"},
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		log.Fatal(err)
	}
	fmt.Printf("given up, timed out: %t\n", res.TimedOut)
}

// A command that does not exist ends with 127, as in a shell.
func ExampleRunOnce_missingCommand() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"no-such-command"},
		Limits: sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("exit status", res.ExitCode)
}

// The command is nobody in particular and cannot change the image's files,
// whatever the Job and the image say.
func ExampleRunOnce_hardening() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", "exec 2>&1; id -u; id -G; grep CapEff /proc/self/status; touch /x"},
		Limits: sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Logs)
}

// A bad job is refused before the engine is asked, and the error names all that
// is wrong with it at once.
func ExampleError() {
	_, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:   shell,
		WorkDir: "src",
		Env:     map[string]string{"A=B": "C"},
		Limits:  sandbox.Limits{MemoryMB: 1, Network: "host"},
	})
	var failed *sandbox.Error
	if !errors.As(err, &failed) {
		log.Fatal(err)
	}
	fmt.Printf("step: %s\n%v\n", failed.Op, failed.Err)
}
