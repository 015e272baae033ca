package fleet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// absent is for how long an object may not be there. In a cluster any server answers, and one may
// not have heard yet of what others have stored.
const absent = 5 * time.Second

var (
	errGone    = errors.New("it is not there any more") // wrapped if an object is not there
	errForeign = errors.New("no object of a fleet")     // wrapped if it is something else
)

// stored reads what put has stored. It reads the message of each object itself. The library's
// way needs the right to make consumers, by which a client could have the server write where
// the client must not. It waits without a bound for messages that are missing, and follows
// links, which a client can make, with the rights of the worker.
type stored struct {
	stores      *stores
	ctx         context.Context
	client      string
	name        string
	parts, next int
	rest        []byte // of the part that is being read
}

// get returns a reader of what put has stored for a client.
func (s *stores) get(ctx context.Context, client, name string, parts int) *stored {
	return &stored{stores: s, ctx: ctx, client: client, name: name, parts: parts}
}

func (s *stored) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.next >= s.parts {
			return 0, io.EOF
		}
		content, err := s.part(partName(s.name, s.next))
		if err != nil {
			return 0, err
		}
		s.rest = content
		s.next++
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// part gets an object.
func (s *stored) part(name string) (content []byte, err error) {
	for end := time.Now().Add(absent); ; pause(s.ctx, 100*time.Millisecond) {
		err = again(s.ctx, patience, func() (err error) {
			content, err = s.message(name)
			return err
		})
		gone := errors.Is(err, jetstream.ErrObjectNotFound) || errors.Is(err, jetstream.ErrMsgNotFound)
		if !gone || s.ctx.Err() != nil {
			return content, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%w; Config.KeepInput says for how long it is: %w", errGone, err)
		}
	}
}

// message gets the one message of an object.
func (s *stored) message(name string) ([]byte, error) {
	objects, err := s.stores.objectsOf(s.ctx, s.client)
	if err != nil {
		return nil, err
	}
	stream, err := s.stores.streamOf(s.ctx, s.client)
	if err != nil {
		return nil, err
	}
	info, err := objects.GetInfo(s.ctx, name)
	if err != nil {
		return nil, err
	}
	if info.Opts != nil && info.Opts.Link != nil {
		return nil, fmt.Errorf("%w: %s is a link", errForeign, name)
	}
	if info.Size == 0 {
		return nil, nil
	}
	m, err := stream.GetLastMsgForSubject(s.ctx, "$O."+bucket(s.client)+".C."+info.NUID)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	digest.Write(m.Data)
	if info.Digest != jetstream.GetObjectDigestValue(digest) {
		return nil, fmt.Errorf("object %s: %w", name, jetstream.ErrDigestMismatch)
	}
	return m.Data, nil
}
