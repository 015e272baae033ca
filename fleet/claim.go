package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// find returns a value of the bucket of results, nil if there is none.
func (d *delivery) find(ctx context.Context, key string) ([]byte, error) {
	entry, err := d.results.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, entry.Value()...), nil
}

// claim is the note of the last delivery that was begun, for the workers of earlier ones.
type claim struct {
	number   uint64 // of the delivery
	begun    int    // how many workers have begun the job, and did not give it back
	revision uint64 // of the note, 0 = there is none
}

// claimKey is by the nonce, but for a job that cannot be read: an ID can have another job later.
func (d *delivery) claimKey() string {
	if d.sent.Nonce == "" {
		return claimKey("id." + d.id)
	}
	return claimKey(d.sent.Nonce)
}

func (d *delivery) lastClaim(ctx context.Context) (c claim, err error) {
	entry, err := d.results.Get(ctx, d.claimKey())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return claim{}, nil
	}
	if err != nil {
		return claim{}, err
	}
	if _, unreadable := fmt.Sscan(string(entry.Value()), &c.number, &c.begun); unreadable != nil {
		c = claim{} // the client's doing
	}
	c.revision = entry.Revision()
	return c, nil
}

// write makes the note, or makes it last, unless somebody else has written since.
func (d *delivery) write(ctx context.Context, c *claim) (err error) {
	c.revision, err = d.results.Update(ctx, d.claimKey(), fmt.Append(nil, c.number, " ", c.begun), c.revision)
	if isFull(err, "bytes") {
		return nil // the client's share is full; nobody is counted then
	}
	return err
}

// begin counts how many workers have begun the job, and notes the number of this delivery. A first
// delivery needs no note. One that a suspended worker never looked at is not counted, unless it
// was the first. The error is errLater if a later delivery has begun.
func (d *delivery) begin() error {
	d.claim = claim{number: d.number, begun: 1}
	if d.number == 1 {
		return nil
	}
	last, err := d.lastClaim(d.ctx)
	if err != nil {
		return err
	}
	if last.number > d.number {
		return errLater
	}
	d.claim.revision = last.revision
	d.claim.begun = last.begun + 1
	if last.revision == 0 {
		d.claim.begun = 2 // the first one has made no note
	}
	if d.number > maxDeliveries { // whatever the notes say
		d.claim.begun = d.options.MaxDeliver + 1
	}
	return d.write(d.ctx, &d.claim)
}

// keepClaim makes the note last, and tells whether a later delivery has begun.
func (d *delivery) keepClaim(ctx context.Context) (later bool) {
	if d.claim.revision != 0 && d.write(ctx, &d.claim) == nil {
		return false
	}
	last, err := d.lastClaim(ctx)
	if err == nil && last.number == d.number {
		d.claim.revision = last.revision
	}
	return err == nil && last.number > d.number
}

// giveBack notes that the job was not lost with this worker.
func (d *delivery) giveBack(ctx context.Context) {
	if last, err := d.lastClaim(ctx); err == nil && last.number <= d.number {
		d.claim.revision = last.revision
	}
	d.claim.begun--
	d.write(ctx, &d.claim)
}
