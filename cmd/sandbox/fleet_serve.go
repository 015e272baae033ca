package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/synchestra-io/sandbox/fleet"
)

// serveFlags are those of a server of this program's own.
type serveFlags struct {
	listen, store, config string
	syncAlways, noWorker  bool
}

func newFleetServe(engine *engineFlags) *cobra.Command {
	f, user, config, worker := new(serveFlags), new(natsFlags), new(configFlags), new(workerFlags)
	c := &cobra.Command{
		Use: "serve", Short: "Start a NATS server with a fleet, and a worker on this machine", Args: cobra.NoArgs,
		Long: "Serve is a NATS server with JetStream, the fleet's stream and buckets as the flags say, and a worker,\nin one process. " +
			"Without --config everyone on this machine may use it, and nobody else can. With the configuration of a\n" +
			"nats-server, which has users and TLS, it serves other machines: docs/fleet has an example.",
		Example: "  sandbox fleet serve\n" +
			"  sandbox fleet serve --store /var/lib/sandbox-fleet --client alice --client bob\n" +
			"  sandbox fleet serve --config nats-server.conf --user operator",
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, engine, user, config, worker) },
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:4222", "`address` of the server, on this machine")
	flags.StringVar(&f.store, "store", "", "`directory` of all that is kept (default: in the user's cache)")
	flags.StringVar(&f.config, "config", "", "`file` with the configuration of a nats-server, in place of --listen and --store")
	flags.BoolVar(&f.syncAlways, "sync-always", false, "write everything to the disk at once: jobs outlive a power failure, and take longer")
	flags.BoolVar(&f.noWorker, "no-worker", false, "run no jobs here")
	user.registerUser(flags)
	config.register(flags)
	worker.register(flags)
	return c
}

func (f *serveFlags) run(c *cobra.Command, engine *engineFlags, user *natsFlags, config *configFlags, worker *workerFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("NATS server: %w", err)
	}
	s.SetLogger(serverLog{worker.logger(c)}, false, false)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(30 * time.Second) {
		return fmt.Errorf("the NATS server does not come up at %s; is the address in use?", s.Addr())
	}
	connection, err := user.options()
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", append(connection, nats.InProcessServer(s))...)
	if err != nil {
		return fmt.Errorf("NATS server: %w; with --config, --user and NATS_PASSWORD say who may provision", err)
	}
	defer nc.Close()
	if err := fleet.Provision(c.Context(), nc, config.fleet()); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "sandbox: serving at nats://%s, with its data in %s\n", s.Addr(), o.StoreDir)
	if f.noWorker {
		<-c.Context().Done()
		return nil
	}
	w, end, err := worker.open(c, engine, nc, "this server")
	if err != nil {
		return err
	}
	for { // an engine that does not answer must not end the queue of others
		err := w.Run(c.Context())
		if c.Context().Err() != nil {
			return errors.Join(err, end())
		}
		fmt.Fprintln(c.ErrOrStderr(), "sandbox: no jobs are run here, until it is tried again in ten seconds:", trimName(err))
		select {
		case <-c.Context().Done():
			return end()
		case <-time.After(10 * time.Second):
		}
	}
}

// options are those of the server.
func (f *serveFlags) options() (*server.Options, error) {
	if f.config != "" {
		o, err := server.ProcessConfigFile(f.config)
		if err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
		o.JetStream, o.NoSigs, o.SyncAlways = true, true, o.SyncAlways || f.syncAlways
		return o, nil
	}
	host, port, err := net.SplitHostPort(f.listen)
	number, invalid := strconv.Atoi(port)
	if err != nil || invalid != nil {
		return nil, fmt.Errorf("--listen %s: want an address with its port, such as 127.0.0.1:4222", f.listen)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("--listen %s: without --config everyone who reaches it could run jobs here; listen on 127.0.0.1, or give a configuration with users and TLS", f.listen)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	store, err := f.storeDir()
	if err != nil {
		return nil, err
	}
	return &server.Options{
		ServerName: "sandbox", Host: host, Port: number, JetStream: true, StoreDir: store, NoSigs: true, SyncAlways: f.syncAlways,
	}, nil
}

func (f *serveFlags) storeDir() (string, error) {
	if f.store != "" {
		return f.store, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errors.New("there is no directory for a cache; give one by --store")
	}
	dir := filepath.Join(cache, "sandbox-fleet")
	return dir, os.MkdirAll(dir, 0o700)
}
