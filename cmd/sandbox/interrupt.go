package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// untilInterrupt returns a context that ends with the first signal. The second one ends the
// program at once.
func untilInterrupt() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE) // which a write then returns, so that the container is removed
	go func() {                    // as long as the program
		s := <-signals
		cancel(fmt.Errorf("stopped by %v", s))
		fmt.Fprintln(os.Stderr, "sandbox: stopping, and removing the container; once more to stop at once")
		<-signals
		fmt.Fprintln(os.Stderr, "sandbox: stopped; containers and volumes of this run may be left: sandbox sweep removes them")
		os.Exit(exitStopped)
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// trimName leaves out the name of the library, which is this program's.
func trimName(err error) string { return strings.TrimPrefix(err.Error(), "sandbox: ") }
