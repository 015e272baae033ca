package fleet_test

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet"
)

// A program sends a job to a fleet, and comes back for its result if it was killed meanwhile.
func ExampleClient() {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	client, err := fleet.NewClient(nc, fleet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	result, err := client.RunOnce(fleet.WithID(ctx, "build-17"), sandbox.Job{
		Image: "golang:1.26", Cmd: []string{"go", "version"}, Limits: sandbox.Limits{Network: "none", Timeout: time.Minute},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", result.Logs)
}

// A worker runs jobs on the engine of its machine, until it is told to end.
func ExampleWorker() {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	runner, err := sandbox.New(sandbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer runner.Close()
	worker, err := fleet.NewWorker(nc, runner, fleet.WorkerOptions{
		Limits: sandbox.Limits{MemoryMB: 4096, PIDs: 512, Timeout: time.Hour},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := worker.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
