package stdio

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Writer passes what is written on to a caller's writer, by the rules of [Output]. One that
// does not return from a Write in time is cut off, and no Write begins after the end of a context.
// After a Write that failed, all do.
type Writer struct {
	ctx    context.Context
	name   string
	to     io.Writer
	within time.Duration
	writes *writes
	err    error
}

// NewWriter returns a Writer that gives each Write that much time, until ctx ends. It must be
// closed. name is how the caller knows the writer.
func NewWriter(ctx context.Context, name string, to io.Writer, within time.Duration) *Writer {
	w := &Writer{ctx: ctx, name: name, to: to, within: within, writes: newWrites()}
	w.writes.begin() // Close waits for it
	return w
}

func (w *Writer) Write(p []byte) (int, error) {
	if w.err == nil && w.ctx.Err() != nil {
		w.err = context.Cause(w.ctx)
	}
	if w.err != nil || len(p) == 0 {
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
