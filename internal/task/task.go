// Package task runs what goes on beside its owner, who must wait for it.
package task

import "errors"

// Task is under way, or has ended.
type Task struct {
	ended    chan struct{}
	err      error
	panicked any
}

// Begin begins a task in a goroutine. A panic in it becomes its owner's: a goroutine that the
// program does not know of must not end the program.
func Begin(do func() error) *Task {
	t := &Task{ended: make(chan struct{}), err: errGoexit}
	go func() {
		defer close(t.ended)
		defer func() { t.panicked = recover() }()
		t.err = do()
	}()
	return t
}

var errGoexit = errors.New("its goroutine was ended")

// Ended is closed when the task has ended.
func (t *Task) Ended() <-chan struct{} { return t.ended }

// Wait waits for the end and returns the error, or panics as the task did. It may be called
// more than once.
func (t *Task) Wait() error {
	<-t.ended
	if t.panicked != nil {
		panic(t.panicked)
	}
	return t.err
}
