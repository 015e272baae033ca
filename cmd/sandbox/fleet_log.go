package main

import (
	"fmt"
	"log/slog"
	"os"
)

// serverLog passes what a NATS server says on to a logger, as far as an operator wants to know.
type serverLog struct{ *slog.Logger }

func (l serverLog) Noticef(string, ...any) {}
func (l serverLog) Debugf(string, ...any)  {}
func (l serverLog) Tracef(string, ...any)  {}

func (l serverLog) Warnf(format string, v ...any) {
	l.Warn("NATS server", "message", fmt.Sprintf(format, v...))
}

func (l serverLog) Errorf(format string, v ...any) {
	l.Error("NATS server", "message", fmt.Sprintf(format, v...))
}

func (l serverLog) Fatalf(format string, v ...any) {
	l.Errorf(format, v...)
	os.Exit(exitNotRun)
}
