package sandbox

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// outlet takes a job's output: all of it goes into logs, and on to the caller's
// writers. Those are called by a goroutine of their own, one Write at a time, so
// that a Write that does not return cannot keep the stream from being drained for
// ever: whoever waits for the writers can cut them off. A slow Write slows the
// job, since nothing is read meanwhile.
type outlet struct {
	logs   *capture
	stdout io.Writer // the caller's, nil = none
	stderr io.Writer
	next   chan chunk    // to the goroutine
	taken  chan error    // its answer to each
	failed chan error    // the first failed Write
	cut    chan struct{} // closed when nothing more is handed over
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

func newOutlet(logBytes int64, stdout, stderr io.Writer) *outlet {
	o := &outlet{
		logs: newCapture(logBytes), stdout: stdout, stderr: stderr,
		next: make(chan chunk), taken: make(chan error, 1), failed: make(chan error, 1),
		cut: make(chan struct{}),
	}
	if o.hasWriters() {
		go o.serve() // ends with the stream, or when the caller's Write returns
	}
	return o
}

// hasWriters tells whether the caller wants the output as it comes.
func (o *outlet) hasWriters() bool { return o.stdout != nil || o.stderr != nil }

// stdoutEnd is where the command's stdout goes. Its Write never fails.
func (o *outlet) stdoutEnd() io.Writer { return tee{o, "Stdout", o.stdout} }

// stderrEnd is where the command's stderr goes. Its Write never fails.
func (o *outlet) stderrEnd() io.Writer { return tee{o, "Stderr", o.stderr} }

func (o *outlet) serve() {
	err := errGoexit
	defer func() {
		if err == errGoexit {
			o.taken <- err
		}
	}()
	for c := range o.next {
		err = errGoexit
		err = writeAll(c.to, c.bytes)
		o.count.Add(1)
		o.taken <- err
	}
	err = nil
}

// tee is the end of a stream: logs, and w if there is one.
type tee struct {
	*outlet
	name string
	w    io.Writer
}

// Write never fails.
func (t tee) Write(p []byte) (int, error) {
	t.logs.Write(p)
	if t.w != nil && len(p) > 0 {
		t.hand(p)
	}
	return len(p), nil
}

// hand has p written to w by the goroutine, and waits for it, until it is cut off.
func (t tee) hand(p []byte) {
	o := t.outlet
	if o.broken {
		return
	}
	if !o.late {
		o.buf = append(o.buf[:0], p...) // the goroutine may keep it for ever
		select {
		case o.next <- chunk{t.w, o.buf}:
			select {
			case err := <-o.taken:
				if err != nil {
					o.broken = true
					o.failed <- fmt.Errorf("%s: %w", t.name, err)
				}
				return
			case <-o.cut:
			}
		case <-o.cut:
		}
	}
	o.late = true
	o.missed += int64(len(p))
}

// end is called when the stream has ended, and lets the goroutine end.
func (o *outlet) end() { close(o.next) }

// writeAll is a Write by os/exec's rules: a short one is an error. A panic is,
// too: the caller's process must not go down in a goroutine that it does not know.
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

// cutOff ends the handing over; a Write that does not return keeps its goroutine.
func (o *outlet) cutOff() { o.once.Do(func() { close(o.cut) }) }

// failure returns the error of the first Write that failed, once.
func (o *outlet) failure() <-chan error { return o.failed }

// writes is how many Writes have returned.
func (o *outlet) writes() int64 { return o.count.Load() }

// kept returns what was kept of the output, and the number of bytes that were
// dropped from its middle. Nothing may be written after.
func (o *outlet) kept() ([]byte, int64) { return o.logs.result() }

// complete tells, after the end of the stream, whether the writers got it all.
func (o *outlet) complete() error {
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

// ErrWriterBlocked is wrapped by the error of output that a caller's writer did not
// take in time.
var ErrWriterBlocked = errors.New("writer blocked")
