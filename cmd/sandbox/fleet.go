package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet"
)

func newFleet(engine *engineFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "fleet", Short: "Run the jobs of other programs, on one machine or on many",
		Long: "A fleet is a queue of jobs on a NATS server, and workers, each beside a Docker Engine. Programs\n" +
			"send jobs with package github.com/synchestra-io/sandbox/fleet.",
		Example: "  sandbox fleet serve\n" +
			"  sandbox fleet worker --nats nats://queue.example.org:4222 --user worker\n" +
			"  sandbox fleet status",
	}
	c.AddCommand(newFleetServe(engine), newFleetWorker(engine), newFleetStatus(), newFleetProvision(), newFleetPermissions())
	return c
}

// natsFlags say which NATS server is meant, and who the program is there.
type natsFlags struct{ url, user, creds, ca, cert, key string }

func (f *natsFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "nats", envOr("NATS_URL", nats.DefaultURL), "`address` of the NATS server; or NATS_URL")
	f.registerUser(flags)
	flags.StringVar(&f.ca, "tls-ca", "", "`file` with the certificates that the server's is checked against (default: the system's)")
	flags.StringVar(&f.cert, "tls-cert", "", "`file` with a client certificate")
	flags.StringVar(&f.key, "tls-key", "", "`file` with its key")
}

func (f *natsFlags) registerUser(flags *pflag.FlagSet) {
	flags.StringVar(&f.user, "user", "", "`name` of the user there; NATS_PASSWORD is the password")
	flags.StringVar(&f.creds, "creds", "", "`file` with the credentials of a user, as nsc makes it")
}

func (f *natsFlags) options() (o []nats.Option, err error) {
	o = []nats.Option{nats.Name("sandbox " + version()), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second)}
	if f.user != "" {
		o = append(o, nats.UserInfo(f.user, os.Getenv("NATS_PASSWORD")))
	}
	if f.creds != "" {
		o = append(o, nats.UserCredentials(f.creds))
	}
	if f.ca != "" {
		o = append(o, nats.RootCAs(f.ca))
	}
	if (f.cert == "") != (f.key == "") {
		return nil, errors.New("--tls-cert and --tls-key belong together; give both")
	}
	if f.cert != "" {
		o = append(o, nats.ClientCert(f.cert, f.key))
	}
	return o, nil
}

// connect connects to the server, which must be there.
func (f *natsFlags) connect() (*nats.Conn, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(f.url, o...)
	if err != nil {
		return nil, fmt.Errorf("NATS server %s: %w; sandbox fleet serve starts one, and --nats names another", f.url, err)
	}
	return nc, nil
}

// workerFlags are those of a worker.
type workerFlags struct {
	options      fleet.WorkerOptions
	most         sandbox.Limits
	memory, disk size
	runtime      string
	quiet        bool
}

func (f *workerFlags) register(flags *pflag.FlagSet) {
	o := &f.options
	flags.StringVar(&o.Name, "name", "", "`name` of the worker (default: the host's)")
	flags.StringVar(&o.Queue, "queue", fleet.DefaultName, "`name` of the queue that jobs are taken from")
	flags.IntVar(&o.Concurrency, "concurrency", 0, "`number` of jobs at once (default: the number of CPUs)")
	flags.DurationVar(&o.Lease, "lease", fleet.DefaultLease, "`time` of silence after which another worker gets the jobs; the same for all")
	flags.IntVar(&o.MaxDeliver, "max-deliver", fleet.DefaultMaxDeliver, "`number` of workers that may begin a job")
	flags.DurationVar(&o.Drain, "drain", fleet.DefaultDrain, "`time` that jobs may go on after a signal")
	flags.StringArrayVar(&o.Mounts, "allow-mount", nil, "`directory[:rw]` that jobs may mount; may be repeated")
	flags.StringArrayVar(&o.Networks, "allow-network", nil, "`name` of a network that jobs may have (default none and bridge); may be repeated")
	flags.Float64Var(&f.most.CPUs, "max-cpus", 0, "`number` of CPUs that a job may ask for; 0 = any")
	flags.Var(&f.memory, "max-memory", "`size` of memory that a job may ask for; 0 = any")
	flags.Int64Var(&f.most.PIDs, "max-pids", 0, "`number` of processes that a job may ask for; 0 = any")
	flags.DurationVar(&f.most.Timeout, "max-timeout", 0, "`time` that a job may ask for; 0 = any")
	flags.Var(&f.disk, "max-disk", "`size` of all that a job can write that it may ask for; 0 = any")
	flags.StringVar(&f.runtime, "runtime", "", "OCI `runtime`, such as runsc for gVisor")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "log warnings alone, and not each job")
}

// limits are the most that jobs may ask for.
func (f *workerFlags) limits() sandbox.Limits {
	most := f.most
	most.MemoryMB, most.DiskMB = f.memory.mebibytes(), f.disk.mebibytes()
	return most
}

// logger writes to stderr, where a service manager expects it.
func (f *workerFlags) logger(c *cobra.Command) *slog.Logger {
	level := slog.LevelInfo
	if f.quiet {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}

// configFlags say what is kept on the server.
type configFlags struct {
	config fleet.Config
	store  size
}

func (f *configFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.config.Clients, "client", nil, "`name` of a client, which gets buckets of its own; may be repeated (default "+fleet.DefaultName+")")
	flags.Int64Var(&f.config.MaxQueued, "max-queued", 0, "`number` of jobs that may wait and run (default 10000)")
	flags.Var(&f.store, "max-store", "`size` of all inputs and large results of a client (default 4g)")
	flags.DurationVar(&f.config.KeepInput, "keep-input", 0, "`time` that a job may wait and run (default 24h)")
	flags.DurationVar(&f.config.Keep, "keep", 0, "`time` that results are kept for a client that comes back (default 1h)")
	flags.IntVar(&f.config.Replicas, "replicas", 0, "`number` of servers of a cluster with a copy (default 1)")
}

func (f *configFlags) fleet() fleet.Config {
	c := f.config
	c.MaxStoreBytes = int64(f.store)
	return c
}
