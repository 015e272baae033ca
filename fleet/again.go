package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is for how long a server that does not answer is asked again.
const patience = 30 * time.Second

// again calls f until it succeeds, for that long at most, and as long as its errors say that the
// server may answer in a moment.
func again(ctx context.Context, within time.Duration, f func() error) error {
	end := time.Now().Add(within)
	for {
		err := f()
		if err == nil || ctx.Err() != nil || !passing(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// passing tells whether an error may be gone in a moment, as when a server starts again.
func passing(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code >= 500 && api.ErrorCode != storeFailed
	}
	for _, e := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded,
		jetstream.ErrNoStreamResponse, jetstream.ErrNoHeartbeat, jetstream.ErrAsyncPublishTimeout, jetstream.ErrTooManyStalledMsgs,
		context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// flush returns when the server knows what has been subscribed to.
func flush(ctx context.Context, nc *nats.Conn) error {
	return again(ctx, patience, func() error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := nc.FlushWithContext(ctx)
		if errors.Is(err, nats.ErrConnectionClosed) && !nc.IsClosed() { // it says so when it is lost, too
			err = nats.ErrDisconnected
		}
		return err
	})
}
