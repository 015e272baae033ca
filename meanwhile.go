package sandbox

import "errors"

// task is what goes on beside its owner, who must wait for it.
type task struct {
	ended    chan struct{}
	err      error
	panicked any
}

// meanwhile begins a task. A panic in it is its owner's: in a goroutine that the caller does
// not know of it would end the caller's process.
func meanwhile(do func() error) *task {
	t := &task{ended: make(chan struct{}), err: errGoexit}
	go func() {
		defer close(t.ended)
		defer func() { t.panicked = recover() }()
		t.err = do()
	}()
	return t
}

var errGoexit = errors.New("its goroutine was ended")

// wait waits for the end and returns the error, or panics as the task did. It may be called
// more than once.
func (t *task) wait() error {
	<-t.ended
	if t.panicked != nil {
		panic(t.panicked)
	}
	return t.err
}
