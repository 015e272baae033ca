package stdio

import (
	"fmt"
	"io"
	"time"
)

// Writer passes what is written on to a caller's writer, by the rules of [Output]. One that
// does not return from a Write in time is cut off. After a Write that failed, all do.
type Writer struct {
	name   string
	to     io.Writer
	within time.Duration
	writes *writes
	err    error
}

// NewWriter returns a Writer that gives each Write that much time. It must be closed. name is
// how the caller knows the writer.
func NewWriter(name string, to io.Writer, within time.Duration) *Writer {
	w := &Writer{name: name, to: to, within: within, writes: newWrites()}
	w.writes.begin() // Close waits for it
	return w
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	late := time.AfterFunc(w.within, w.writes.cutOff)
	defer late.Stop()
	switch err := w.writes.put(w.to, p); err {
	case nil:
		return len(p), nil
	case errCut:
		w.err = fmt.Errorf("%w: %s did not return from a Write within %v", ErrWriterBlocked, w.name, w.within)
	default:
		w.err = fmt.Errorf("%s: %w", w.name, err)
	}
	return 0, w.err
}

// Err is the error of the first Write that failed, nil if none has.
func (w *Writer) Err() error { return w.err }

// Close makes sure that no Write of the caller's begins any more, and waits for the goroutine
// unless one is under way.
func (w *Writer) Close() {
	w.writes.cutOff()
	w.writes.end()
	w.writes.wait()
}
