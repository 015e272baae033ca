package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// partSize is how much of something goes into one object, and so into one message: several
// messages of an object may change places when a cluster changes its leader. It is kept in
// memory until it is stored, so that it can be put again when the server starts again meanwhile.
const partSize = 1<<20 - 8<<10

func partName(name string, part int) string { return fmt.Sprintf("%s.%d", name, part) }

// put stores what r has in as many objects as it takes, and returns how many, also when it
// fails. Errors of r are a *readError.
func (s *stores) put(ctx context.Context, o jetstream.ObjectStore, name string, r io.Reader) (parts int, err error) {
	r = fullReads{r}
	size := min(partSize, s.js.Conn().MaxPayload()-8<<10) // with room for headers
	if size <= 0 {
		return 0, fmt.Errorf("the server's max_payload is %d; want 1 MiB", s.js.Conn().MaxPayload())
	}
	var part bytes.Buffer
	for {
		part.Reset()
		_, err := io.CopyN(&part, r, size)
		if err != nil && err != io.EOF {
			return parts, err
		}
		if part.Len() > 0 || parts == 0 {
			name := partName(name, parts)
			parts++
			if err := again(ctx, patience, func() error { return s.putPart(ctx, o, name, part.Bytes()) }); err != nil {
				return parts, err
			}
		}
		if err == io.EOF {
			return parts, nil
		}
	}
}

// putPart stores an object. The library can report success although the connection broke and
// the object is not there: both the end of its wait and the errors come from the same event.
func (s *stores) putPart(ctx context.Context, o jetstream.ObjectStore, name string, content []byte) error {
	reconnects := s.js.Conn().Stats().Reconnects
	// With a deadline, of whatever length, nothing would bound the wait for an answer.
	endless, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	meta := jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(max(len(content), 1))}}
	_, err := o.Put(endless, meta, bytes.NewReader(content))
	if err == nil && (!s.js.Conn().IsConnected() || s.js.Conn().Stats().Reconnects != reconnects) {
		err = nats.ErrDisconnected
	}
	if isFull(err, "bytes") {
		err = ErrStoreFull
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// readError is what the reader of an object to be stored returns.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// fullReads fills the buffer by each Read, and makes an error of its reader a *readError.
type fullReads struct{ r io.Reader }

func (f fullReads) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = f.r.Read(p[n:])
		n += k
	}
	if err != nil && err != io.EOF && !errors.As(err, new(*readError)) {
		err = &readError{err}
	}
	return n, err
}

// remove removes what put has stored. What it cannot remove expires.
func remove(ctx context.Context, o jetstream.ObjectStore, name string, parts int) {
	if name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(parts, 8) { // each takes three requests, one after the other
		group.Go(func() {
			for part := int(next.Add(1)) - 1; part < parts && ctx.Err() == nil; part = int(next.Add(1)) - 1 {
				o.Delete(ctx, partName(name, part))
			}
		})
	}
	group.Wait()
}
