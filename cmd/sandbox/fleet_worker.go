package main

import (
	"errors"
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
			w, end, err := worker.open(c, engine, nc, server.url)
			if err != nil {
				return err
			}
			return errors.Join(w.Run(c.Context()), end())
		},
	}
	server.register(c.Flags())
	worker.register(c.Flags())
	return c
}

// open makes a worker. close must follow.
func (f *workerFlags) open(c *cobra.Command, engine *engineFlags, nc *nats.Conn, from string) (w *fleet.Worker, close func() error, err error) {
	o := engine.options()
	o.Runtime = f.runtime
	r, err := sandbox.New(o)
	if err != nil {
		return nil, nil, err
	}
	f.options.Logger, f.options.Limits = f.logger(c), f.limits()
	w, err = fleet.NewWorker(nc, r, f.options)
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	fmt.Fprintf(c.ErrOrStderr(), "sandbox: taking jobs of queue %s from %s\n", f.options.Queue, from)
	return w, r.Close, nil
}
