// Package fleet runs the jobs of package sandbox on many machines: the same Job, the same Result
// and the same errors, by way of a queue on a NATS server (JetStream).
//
//	nc, err := nats.Connect("nats://queue.example.org:4222", nats.MaxReconnects(-1))
//	...
//	client, err := fleet.NewClient(nc, fleet.Options{})
//	...
//	result, err := client.RunOnce(ctx, job)
//
// A worker is a process beside a Docker Engine: [NewWorker] makes one, and so does the command
// "sandbox fleet worker". The command "sandbox fleet serve" is a server and a worker in one.
//
// A job is run at least once, and reported exactly once. It is lost with no worker, engine or
// server, unless its readers or writers had been used; docs/fleet.md says what happens in each
// case. Inputs and large results go through the server's object store, and are removed when they
// have been used. Stdin, Stdout, Stderr, Setup.Output and OutputTar stay with the client: the worker asks
// it for each Read and Write, so that a slow one slows the command down, as without a fleet.
//
// Tests run with NATS server 2.15.
//
// Module fleet and module sandbox of one version go together, and so do clients and workers: a
// worker refuses a job with a field that it does not know.
package fleet
