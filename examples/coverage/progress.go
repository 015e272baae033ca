package main

import (
	"fmt"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"
)

// working shows that a long step is alive: a moving bar on a terminal, a line
// now and then elsewhere.
func working(what string, step func() error) error {
	done := make(chan error, 1)
	go func() { done <- step() }()
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return onTerminal(what, done)
	}
	fmt.Println(what)
	start, still := time.Now(), time.NewTicker(15*time.Second)
	defer still.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-still.C:
			fmt.Printf("  still at it, for %v\n", time.Since(start).Round(time.Second))
		}
	}
}

func onTerminal(what string, done <-chan error) error {
	bars := progress.NewWriter()
	bars.SetOutputWriter(os.Stdout)
	bars.SetAutoStop(true)
	bars.SetMessageLength(60)
	bars.SetUpdateFrequency(200 * time.Millisecond)
	bar := &progress.Tracker{Message: what} // no total: it only moves
	bars.AppendTracker(bar)
	rendered := make(chan struct{})
	go func() { bars.Render(); close(rendered) }()
	err := <-done
	if err != nil {
		bar.MarkAsErrored()
	} else {
		bar.MarkAsDone()
	}
	<-rendered
	return err
}
