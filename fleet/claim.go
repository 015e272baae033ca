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

// begin counts how many workers have begun the job, and notes the number of this delivery, for
// the workers of earlier ones. A first delivery needs no note. One that a suspended worker never
// looked at is not counted, unless it was the first.
func (d *delivery) begin() error {
	d.begun = 1
	if d.number == 1 {
		return nil
	}
	_, begun, err := d.lastClaim(d.ctx)
	if err != nil {
		return err
	}
	d.begun = max(begun, 1) + 1
	if d.number > maxDeliveries { // whatever the notes say
		d.begun = d.options.MaxDeliver + 1
	}
	return d.claim(d.ctx)
}

// claim makes the note, or makes it last.
func (d *delivery) claim(ctx context.Context) error {
	_, err := d.results.PutString(ctx, claimKey(d.id), fmt.Sprint(d.number, " ", d.begun))
	return err
}

// giveBack notes that the job was not lost with this worker.
func (d *delivery) giveBack(ctx context.Context) {
	d.begun--
	d.claim(ctx)
}

// lastClaim returns the note of the last delivery that was begun, zeros if there is none.
func (d *delivery) lastClaim(ctx context.Context) (number uint64, begun int, err error) {
	value, err := d.find(ctx, claimKey(d.id))
	if value != nil {
		if _, unreadable := fmt.Sscan(string(value), &number, &begun); unreadable != nil {
			return 0, 0, nil // the client's doing
		}
	}
	return number, begun, err
}
