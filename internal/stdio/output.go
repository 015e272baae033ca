// Package stdio has the three streams of a command: its output on the way to the
// caller's writers and to bounded logs, and its input.
package stdio

import (
	"errors"
	"fmt"
	"io"
)

// ErrWriterBlocked is wrapped if a caller's writer did not take output in time.
var ErrWriterBlocked = errors.New("writer blocked")

// Output takes a job's output: all of it goes into logs and on to the caller's
// writers, which whoever waits for them can cut off. A slow Write slows the job down, since nothing is read
// meanwhile.
type Output struct {
	logs   *headTailBuffer
	stdout io.Writer // the caller's, nil = none
	stderr io.Writer
	writes *writes
	failed chan error // the first failed Write

	// Of the goroutine that demultiplexes.
	broken bool  // a Write has failed
	late   bool  // cut off
	missed int64 // bytes that were not written since
}

// NewOutput keeps at most logBytes of the output for [Output.Logs]; stdout and stderr
// are the caller's writers, nil = none.
func NewOutput(logBytes int64, stdout, stderr io.Writer) *Output {
	o := &Output{
		logs: newHeadTailBuffer(logBytes), stdout: stdout, stderr: stderr,
		writes: newWrites(), failed: make(chan error, 1),
	}
	if o.HasWriters() {
		o.writes.begin() // Wait waits for it
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
		switch err := o.writes.put(t.w, p); err {
		case nil:
			return
		case errCut:
		default:
			o.broken = true
			o.failed <- fmt.Errorf("%s: %w", t.name, err)
			return
		}
	}
	o.late = true
	o.missed += int64(len(p))
}

// End is called when the stream has ended, and lets the goroutine end.
func (o *Output) End() { o.writes.end() }

// CutOff makes sure that no Write begins any more, and makes forward return.
func (o *Output) CutOff() { o.writes.cutOff() }

// Cut is closed when the writers have been cut off.
func (o *Output) Cut() <-chan struct{} { return o.writes.cut }

// Wait waits, after End and CutOff, for the goroutine. One that is in a Write of the
// caller's it leaves alone: that may never return.
func (o *Output) Wait() { o.writes.wait() }

// Failed returns the error of the first Write that failed, once.
func (o *Output) Failed() <-chan error { return o.failed }

// Writes is how many Writes have returned.
func (o *Output) Writes() int64 { return o.writes.count.Load() }

// Logs returns what was kept of the output, and the number of bytes that were
// dropped from its middle. Nothing may be written after.
func (o *Output) Logs() ([]byte, int64) { return o.logs.result() }

// Said is how many bytes of output have come. Nothing may be written after.
func (o *Output) Said() int64 { return o.logs.total }

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
