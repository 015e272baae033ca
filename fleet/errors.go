package fleet

import (
	"errors"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

var (
	// ErrQueueFull is wrapped if as many jobs as [Config.MaxQueued] wait and run.
	ErrQueueFull = wire.ErrQueueFull
	// ErrStoreFull is wrapped if an input, or a result, does not fit into what the client has
	// of the object store, [Config.MaxStoreBytes].
	ErrStoreFull = wire.ErrStoreFull
	// ErrInputTooLarge is wrapped if a job's input has more than [Options.MaxInputBytes].
	ErrInputTooLarge = errors.New("the input is too large")
	// ErrJobTooLarge is wrapped if a job, without its input, has more than 16 MiB.
	ErrJobTooLarge = errors.New("the job is too large")
	// ErrIDTaken is wrapped if another job of this client has the ID, or a job that has readers
	// or writers, which belong to the call that sent it.
	ErrIDTaken = errors.New("the ID is that of another job")
	// ErrWorkerLost is wrapped if the worker that ran a job was lost, and the job cannot be run
	// again, because its Stdin was read or some of its output was delivered.
	ErrWorkerLost = wire.ErrWorkerLost
	// ErrMaxDeliver is wrapped if every worker that took a job was lost,
	// [WorkerOptions.MaxDeliver] of them.
	ErrMaxDeliver = wire.ErrMaxDeliver
	// ErrClientLost is wrapped if a job was given up because its client, whose readers and
	// writers it needs, did not answer any more.
	ErrClientLost = wire.ErrClientLost
	// ErrNotAllowed is wrapped if the worker does not allow a mount or a network of the job.
	ErrNotAllowed = wire.ErrNotAllowed
)

// fail is the error of a step; nil stays nil.
func fail(op sandbox.Op, err error) error {
	if err == nil {
		return nil
	}
	return &sandbox.Error{Op: op, Err: err}
}
