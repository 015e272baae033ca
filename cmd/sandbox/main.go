// Sandbox runs one untrusted command in a locked-down, one-shot container, and says what the
// engine at hand keeps of that promise.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

func main() {
	becomeProbe()
	becomeProxy()
	ctx, stop := untilInterrupt()
	defer stop()
	os.Exit(execute(ctx, os.Args[1:]))
}

// Exit statuses beside the command's own, as those of timeout(1) and docker run.
const (
	exitFailed   = 1   // of doctor: something does not hold
	exitTimedOut = 124 // the command was killed at its timeout
	exitNotRun   = 125 // it could not be run, or not all of it could be had
	exitStopped  = 130 // the user stopped it
)

// exit is an error that is an exit status, of a command that has said why.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string) int {
	c := newCommand()
	c.SetArgs(args)
	err := c.ExecuteContext(ctx)
	var status exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintln(c.ErrOrStderr(), "sandbox:", trimName(err))
	if ctx.Err() != nil {
		return exitStopped
	}
	return exitNotRun
}
