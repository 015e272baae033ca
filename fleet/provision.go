package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config is what a fleet keeps on the NATS server. The zero value is ready to use.
type Config struct {
	// Clients are the names of the clients, see [Options.Name]; nil = [DefaultName] alone. Each
	// has buckets of its own for its results and inputs, which others may not read.
	Clients []string
	// MaxQueued is how many jobs may wait and run, of all clients; 0 = 10,000. One more is
	// [ErrQueueFull].
	MaxQueued int64
	// MaxStoreBytes is how much the inputs and large results of a client may take; 0 = 4 GiB. Its
	// small results may take half as much again. What does not fit is [ErrStoreFull].
	// The server reserves both, and refuses that if its disk has too little room.
	MaxStoreBytes int64
	// Keep is how long a result is kept for a client that comes back with the ID of its job;
	// 0 = an hour. The minimum is ten minutes.
	Keep time.Duration
	// KeepInput is how long a job may wait and run before it, and its input, are removed; 0 = a
	// day. What killed clients left in the store goes then, too. It must not be less than Keep.
	KeepInput time.Duration
	// Replicas is how many servers of a cluster have a copy of everything; 0 = 1, at most 5.
	Replicas int
}

func (c Config) withDefaults() Config {
	if len(c.Clients) == 0 {
		c.Clients = []string{DefaultName}
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = 10_000
	}
	if c.MaxStoreBytes == 0 {
		c.MaxStoreBytes = 4 << 30
	}
	if c.Keep == 0 {
		c.Keep = time.Hour
	}
	if c.KeepInput == 0 {
		c.KeepInput = max(24*time.Hour, c.Keep)
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	return c
}

// minKeep is the least that results, and notes about deliveries, are kept for.
const minKeep = 10 * time.Minute

func (c Config) check() (err error) {
	for _, client := range c.Clients {
		err = errors.Join(err, checkName("Config.Clients", client))
	}
	if c.MaxQueued < 0 {
		err = errors.Join(err, fmt.Errorf("Config.MaxQueued %d: want a number of jobs, or 0 for 10,000", c.MaxQueued))
	}
	if c.MaxStoreBytes < 0 {
		err = errors.Join(err, fmt.Errorf("Config.MaxStoreBytes %d: want a number of bytes, or 0 for 4 GiB", c.MaxStoreBytes))
	}
	if c.Keep < minKeep {
		err = errors.Join(err, fmt.Errorf("Config.Keep %v: want %v or more, or 0 for an hour", c.Keep, minKeep))
	}
	if c.KeepInput < c.Keep {
		err = errors.Join(err, fmt.Errorf("Config.KeepInput %v: want at least Keep, which is %v", c.KeepInput, c.Keep))
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		err = errors.Join(err, fmt.Errorf("Config.Replicas %d: want 1 to 5", c.Replicas))
	}
	return err
}

// Provision makes what a fleet keeps on the server, or changes it to what c says. It needs
// the rights of an operator, and can be called again at any time. Clients that c does not name
// keep what they have.
func Provision(ctx context.Context, nc *nats.Conn, c Config) error {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if _, err := js.CreateOrUpdateStream(ctx, c.jobs()); err != nil {
		return fmt.Errorf("fleet: the stream of jobs: %w", err)
	}
	for _, client := range c.Clients {
		if _, err := js.CreateOrUpdateKeyValue(ctx, c.results(client)); err != nil {
			return fmt.Errorf("fleet: the results of client %s: %w", client, err)
		}
		if _, err := js.CreateOrUpdateObjectStore(ctx, c.objects(client)); err != nil {
			return fmt.Errorf("fleet: the objects of client %s: %w", client, err)
		}
	}
	return nil
}

// jobs are a work queue: a job stays until a worker says that its result is stored. There is
// one message for each subject, and so one for each ID: the server refuses a second.
func (c Config) jobs() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: jobsStream, Subjects: []string{"sandbox.job.*.*.*"}, Description: "Jobs that wait or run",
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: c.Replicas,
		MaxMsgs: c.MaxQueued, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		Duplicates: time.Minute, MaxAge: c.KeepInput,
	}
}

func (c Config) results(client string) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: bucket(client), Description: "Results of a client's jobs", TTL: c.Keep, Replicas: c.Replicas, Storage: jetstream.FileStorage,
		MaxBytes: c.MaxStoreBytes / 2, MaxValueSize: 2 * inlineResult,
	}
}

func (c Config) objects(client string) jetstream.ObjectStoreConfig {
	return jetstream.ObjectStoreConfig{
		Bucket: bucket(client), Description: "Inputs and results of a client", TTL: c.KeepInput,
		MaxBytes: c.MaxStoreBytes, Replicas: c.Replicas, Storage: jetstream.FileStorage,
	}
}
