// Package stdio has the three streams of a command: its output on the way to the
// caller's writers and to bounded logs, and its input.
package stdio

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// ErrWriterBlocked is wrapped if a caller's writer did not take output in time.
var ErrWriterBlocked = errors.New("writer blocked")

// Output takes a job's output: all of it goes into logs and on to the caller's
// writers. A separate goroutine calls the writers, one Write at a time, so that a
// Write that never returns cannot block the stream forever: whoever waits for the
// writers can cut them off. A slow Write slows the job down, since nothing is read
// meanwhile.
type Output struct {
	logs   *headTailBuffer
	stdout io.Writer // the caller's, nil = none
	stderr io.Writer
	next   chan chunk    // to the goroutine
	taken  chan error    // its answer to each
	served chan struct{} // closed when it has ended; nil without writers
	failed chan error    // the first failed Write
	gate   gate          // shut when no Write may begin any more
	cut    chan struct{} // closed after that
	once   sync.Once     // closes cut
	count  atomic.Int64  // Writes that have returned
	buf    []byte        // what the goroutine writes from

	// Of the goroutine that demultiplexes.
	broken bool  // a Write has failed
	late   bool  // cut off
	missed int64 // bytes that were not written since
}

type chunk struct {
	to    io.Writer
	bytes []byte
}

// NewOutput keeps at most logBytes of the output for [Output.Logs]; stdout and stderr
// are the caller's writers, nil = none.
func NewOutput(logBytes int64, stdout, stderr io.Writer) *Output {
	o := &Output{
		logs: newHeadTailBuffer(logBytes), stdout: stdout, stderr: stderr,
		next: make(chan chunk), taken: make(chan error, 1), failed: make(chan error, 1),
		cut: make(chan struct{}),
	}
	if o.HasWriters() {
		o.served = make(chan struct{})
		go o.serve() // Wait waits for it
	}
	return o
}

// HasWriters tells whether the caller wants the output as it comes.
func (o *Output) HasWriters() bool { return o.stdout != nil || o.stderr != nil }

// Stdout is where the command's stdout goes. Its Write never fails.
func (o *Output) Stdout() io.Writer { return streamWriter{o, "Stdout", o.stdout} }

// Stderr is where the command's stderr goes. Its Write never fails.
func (o *Output) Stderr() io.Writer { return streamWriter{o, "Stderr", o.stderr} }

// streamWriter is the end of a stream: logs, and w if there is one.
type streamWriter struct {
	out  *Output
	name string
	w    io.Writer // the caller's
}

// Write never fails.
func (t streamWriter) Write(p []byte) (int, error) {
	t.out.logs.Write(p)
	if t.w != nil && len(p) > 0 {
		t.forward(p)
	}
	return len(p), nil
}

// forward makes the goroutine write p to w, and waits for that until it is cut off.
func (t streamWriter) forward(p []byte) {
	o := t.out
	if o.broken {
		return
	}
	if !o.late {
		o.buf = append(o.buf[:0], p...) // the goroutine may keep it for ever
		select {
		case o.next <- chunk{t.w, o.buf}:
			select {
			case err := <-o.taken:
				if err == nil {
					return
				}
				if err != errCut {
					o.broken = true
					o.failed <- fmt.Errorf("%s: %w", t.name, err)
					return
				}
			case <-o.cut:
			}
		case <-o.cut:
		}
	}
	o.late = true
	o.missed += int64(len(p))
}

// errCut is the answer to what came too late to be written.
var errCut = errors.New("cut off")

// serve makes the Writes, and answers each.
func (o *Output) serve() {
	err := ErrGoexit
	defer close(o.served)
	defer func() {
		if err == ErrGoexit {
			o.taken <- err
		}
	}()
	for c := range o.next {
		err = ErrGoexit
		err = o.write(c)
		o.taken <- err
	}
	err = nil
}

func (o *Output) write(c chunk) error {
	if !o.gate.enter() {
		return errCut
	}
	defer o.gate.leave()
	defer o.count.Add(1)
	return writeAll(c.to, c.bytes)
}

// writeAll is a Write by the rules of os/exec: a short one is an error. So is a
// panic: a goroutine that the caller does not know about must not crash its process.
func writeAll(w io.Writer, p []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("Write panicked: %v", r)
		}
	}()
	n, err := w.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// End is called when the stream has ended, and lets the goroutine end.
func (o *Output) End() { close(o.next) }

// CutOff makes sure that no Write begins any more, and makes forward return.
func (o *Output) CutOff() {
	o.once.Do(func() {
		o.gate.close()
		close(o.cut)
	})
}

// Cut is closed when the writers have been cut off.
func (o *Output) Cut() <-chan struct{} { return o.cut }

// Wait waits, after End and CutOff, for the goroutine. One that is in a Write of the
// caller's it leaves alone: that may never return.
func (o *Output) Wait() {
	if o.served != nil && !o.gate.occupied() {
		<-o.served
	}
}

// Failed returns the error of the first Write that failed, once.
func (o *Output) Failed() <-chan error { return o.failed }

// Writes is how many Writes have returned.
func (o *Output) Writes() int64 { return o.count.Load() }

// Logs returns what was kept of the output, and the number of bytes that were
// dropped from its middle. Nothing may be written after.
func (o *Output) Logs() ([]byte, int64) { return o.logs.result() }

// Err tells, after the end of the stream, whether the writers got it all.
func (o *Output) Err() error {
	select {
	case err := <-o.failed:
		return err
	default:
	}
	if o.missed == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d bytes of output did not reach Stdout or Stderr", ErrWriterBlocked, o.missed)
}
