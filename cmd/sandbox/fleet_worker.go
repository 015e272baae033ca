package main

import (
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet"
)

func newFleetWorker(engine *engineFlags) *cobra.Command {
	server, worker := new(natsFlags), new(workerFlags)
	c := &cobra.Command{
		Use: "worker", Short: "Take jobs from a NATS server, and run them on the engine of this machine", Args: cobra.NoArgs,
		Long: "Worker takes as many jobs as it can run at once. With SIGTERM it takes no more, and ends when those\n" +
			"under way have ended, or have been given to another worker after --drain. What a killed worker left\n" +
			"on the engine, the next one removes.",
		Example: "  NATS_PASSWORD=... sandbox fleet worker --nats tls://queue.example.org:4222 --user worker --queue gpu",
		RunE: func(c *cobra.Command, _ []string) error {
			nc, err := server.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			return worker.run(c, engine, nc, server.url)
		},
	}
	server.register(c.Flags())
	worker.register(c.Flags())
	return c
}

// run is a worker, until a signal ends it.
func (f *workerFlags) run(c *cobra.Command, engine *engineFlags, nc *nats.Conn, from string) error {
	o := engine.options()
	o.Runtime = f.runtime
	r, err := sandbox.New(o)
	if err != nil {
		return err
	}
	f.options.Logger = f.logger(c)
	w, err := fleet.NewWorker(nc, r, f.options)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "sandbox: taking jobs of queue %s from %s\n", f.options.Queue, from)
	err = w.Run(c.Context())
	if closed := r.Close(); err == nil {
		err = closed
	}
	return err
}
