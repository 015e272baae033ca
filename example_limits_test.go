package sandbox_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/synchestra-io/sandbox"
)

// A job for code from a stranger has all of the limits.
func ExampleLimits() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image: shell,
		Cmd:   []string{"sh", "-c", "echo $((6 * 7))"},
		Limits: sandbox.Limits{
			CPUs:          1.5,
			MemoryMB:      64,
			PIDs:          32,
			Timeout:       time.Minute,
			Network:       "none",
			LogBytes:      1 << 20,
			ArtifactBytes: 16 << 20,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d, %d bytes of output dropped\n%s", res.ExitCode, res.LogsDropped, res.Logs)
}

// A command that needs more memory than it may have is killed; swap does not
// help it.
func ExampleLimits_memory() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"tail", "/dev/zero"},
		Limits: sandbox.Limits{MemoryMB: 32, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d, timed out: %t\n", res.ExitCode, res.TimedOut)
}

// A fork bomb meets the limit of processes.
func ExampleLimits_processes() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", "while true; do sleep 3600 & done"},
		Limits: sandbox.Limits{PIDs: 16, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d\n%s", res.ExitCode, res.Logs)
}

// Output over the cap keeps its beginning and its end, and what is missing in
// the middle is counted.
func ExampleLimits_logBytes() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"seq", "100000"},
		Limits: sandbox.Limits{LogBytes: 26, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes dropped\n%s", res.LogsDropped, res.Logs)
}

// On network "none" there is no way out.
func ExampleLimits_network() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"wget", "-q", "http://192.0.2.1/"},
		Limits: sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d\n%s", res.ExitCode, res.Logs)
}
