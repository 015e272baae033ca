package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
)

// running tells whether something may be on the engine.
var running atomic.Bool

// untilInterrupt returns a context that ends with the first signal. The second one ends the
// program at once. Signals that are ignored, as by nohup(1), stay so.
func untilInterrupt() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	signal.Ignore(syscall.SIGPIPE) // which a write then returns, so that the container is removed
	go func() {                    // as long as the program
		s := <-signals
		cancel(fmt.Errorf("stopped by %v", s))
		if running.Load() {
			fmt.Fprintln(os.Stderr, "sandbox: stopping, and removing the container; once more to stop at once")
		}
		<-signals
		if running.Load() {
			fmt.Fprintln(os.Stderr, "sandbox: stopped; containers and volumes of this run may be left: sandbox sweep removes them")
		}
		os.Exit(exitStopped)
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// trimName leaves out the name of the library, which is this program's.
func trimName(err error) string { return strings.TrimPrefix(err.Error(), "sandbox: ") }
