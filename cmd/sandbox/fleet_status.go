package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/synchestra-io/sandbox/fleet"
)

func newFleetStatus() *cobra.Command {
	server := new(natsFlags)
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Say what waits, and what the workers run", Args: cobra.NoArgs,
		Example: "  sandbox fleet status --nats nats://queue.example.org:4222 --user operator",
		RunE: func(c *cobra.Command, _ []string) error {
			nc, err := server.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			report, err := fleet.Status(c.Context(), nc)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(report)
			}
			showFleet(c, report, time.Now())
			return nil
		},
	}
	server.register(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "write it as JSON")
	return c
}

func showFleet(c *cobra.Command, report fleet.Report, now time.Time) {
	say := func(format string, args ...any) { fmt.Fprintf(c.OutOrStdout(), format+"\n", args...) }
	for _, queue := range sorted(report.Queues) {
		say("queue %s: %d jobs wait and run", queue, report.Queues[queue])
	}
	if len(report.Queues) == 0 {
		say("no job waits or runs")
	} else {
		say("the oldest was sent %v ago", report.Oldest.Round(time.Second))
	}
	for _, w := range report.Workers {
		say("worker %s: queue %s, %d of %d jobs", w.Name, w.Queue, len(w.Running), w.Concurrency)
		for _, job := range w.Running {
			again := ""
			if job.Delivery > 1 {
				again = fmt.Sprintf(", given to a worker for time %d", job.Delivery)
			}
			say("  %s of %s, for %v%s", job.ID, job.Client, now.Sub(job.Since).Round(time.Second), again)
		}
	}
	if len(report.Workers) == 0 {
		say("no worker answers; sandbox fleet worker starts one")
	}
}

func newFleetProvision() *cobra.Command {
	server, config := new(natsFlags), new(configFlags)
	c := &cobra.Command{
		Use: "provision", Short: "Make what a fleet keeps on a NATS server, or change it", Args: cobra.NoArgs,
		Long:    "Provision makes the stream of jobs, and buckets for the results and inputs of each client. It can be\ncalled again at any time, as for one more client.",
		Example: "  sandbox fleet provision --user operator --client alice --client bob --replicas 3",
		RunE: func(c *cobra.Command, _ []string) error {
			nc, err := server.connect()
			if err != nil {
				return err
			}
			defer nc.Close()
			return fleet.Provision(c.Context(), nc, config.fleet())
		},
	}
	server.register(c.Flags())
	config.register(c.Flags())
	return c
}

func newFleetPermissions() *cobra.Command {
	var clients []string
	var worker bool
	c := &cobra.Command{
		Use: "permissions", Short: "Print the permissions of a client, or of workers, for a NATS server's configuration", Args: cobra.NoArgs,
		Example: "  sandbox fleet permissions --client alice\n" +
			"  sandbox fleet permissions --worker --client alice --client bob",
		RunE: func(c *cobra.Command, _ []string) error {
			var p fleet.Permissions
			var err error
			switch {
			case worker:
				p, err = fleet.WorkerPermissions(clients...)
			case len(clients) == 1:
				p, err = fleet.ClientPermissions(clients[0])
			default:
				err = fmt.Errorf("there are %d clients; name one by --client, or add --worker for the workers of all of them", len(clients))
			}
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), p)
			}
			return err
		},
	}
	c.Flags().StringArrayVar(&clients, "client", nil, "`name` of a client; may be repeated with --worker")
	c.Flags().BoolVar(&worker, "worker", false, "those of the workers of these clients")
	return c
}
