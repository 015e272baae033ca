package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/synchestra-io/sandbox/fleet/internal/wire"
	"github.com/synchestra-io/sandbox/internal/stdio"
)

func newNonce() string { return rand.Text() }

// smallInput is how much input goes with the job itself.
const smallInput = 128 << 10

// upload reads the input, and puts it into the object store unless it is small.
func (t *task) upload(ctx context.Context, input io.Reader) error {
	if input == nil {
		return nil
	}
	src := stdio.NewSource(input)
	ended := make(chan error, 1)
	go func() {
		err := stdio.ErrGoexit
		defer func() { ended <- err }()
		err = t.send(ctx, &bounded{src, t.options.MaxInputBytes})
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	src.Shut()
	if !src.Busy() { // a Read under way may never return
		<-ended
	}
	return ctx.Err()
}

func (t *task) send(ctx context.Context, input io.Reader) error {
	first := make([]byte, smallInput)
	n, err := fullReads{input}.Read(first)
	if err == io.EOF {
		t.job.Small = first[:n:n]
		return nil
	}
	if err != nil {
		return inputError(err)
	}
	t.job.Input = t.id + "." + t.job.Nonce
	objects, err := t.stores.objectsOf(ctx, t.options.Name)
	if err != nil {
		return err
	}
	t.job.Parts, err = t.stores.put(ctx, objects, t.job.Input, io.MultiReader(bytes.NewReader(first), input))
	if err != nil {
		remove(context.WithoutCancel(ctx), objects, t.job.Input, t.job.Parts)
	}
	return inputError(err)
}

// inputError is the error of a caller's reader as that of a run without a fleet.
func inputError(err error) error {
	var e *readError
	if errors.As(err, &e) {
		return fmt.Errorf("InputTar: %w", e.error)
	}
	return err
}

// bounded reads no more than a number of bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(int64(len(p))-1, b.left)+1])
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: it has more bytes than Options.MaxInputBytes allows", ErrInputTooLarge)
	}
	return n, err
}

// maxJob is more than a command can have, and much less than a client's memory.
const maxJob = 16 << 20

// marshal returns the job as it is sent. A large one goes into the object store.
func (t *task) marshal(ctx context.Context) ([]byte, error) {
	data, err := t.job.Marshal()
	if err != nil || len(data) <= smallInput+smallInput/2 {
		return data, err
	}
	if len(data) > maxJob {
		return nil, fmt.Errorf("%w: it has %d bytes, and may have %d; pass large data in InputTar", ErrJobTooLarge, len(data), maxJob)
	}
	objects, err := t.stores.objectsOf(ctx, t.options.Name)
	if err != nil {
		return nil, err
	}
	t.object = t.id + "." + t.job.Nonce + ".job"
	if t.parts, err = t.stores.put(ctx, objects, t.object, bytes.NewReader(data)); err != nil {
		return nil, err
	}
	return wire.Job{Nonce: t.job.Nonce, Object: t.object, Parts: t.parts}.Marshal()
}

// submit sends the job. A message that the server has already is the job's own, sent before
// and not answered, or that of another call with the same ID, whose input stays. If it does not
// become clear whether the server has the job, it is cancelled, and that is its result.
func (t *task) submit(ctx context.Context) ([]byte, error) {
	data, err := t.marshal(ctx)
	if err != nil {
		t.removeObjects(ctx)
		return nil, err
	}
	t.message = &nats.Msg{Subject: jobSubject(t.options.Queue, t.options.Name, t.id), Data: data}
	sent := 0
	err = again(ctx, patience, func() error { sent++; return t.publish(ctx) })
	refused := errors.As(err, new(*jetstream.APIError)) || errors.Is(err, jetstream.ErrNoStreamResponse)
	if isFull(err, "messages") {
		err = ErrQueueFull
	}
	switch {
	case err == nil:
		return nil, nil
	case isFull(err, "messages per subject"): // it has this one already, or that of another call
		if t.job.Live.Any() && sent == 1 {
			t.removeObjects(ctx)
			return nil, fmt.Errorf("%w: %s waits or runs already, and has the readers and writers of another call", ErrIDTaken, t.id)
		}
		t.attached = !t.job.Live.Any()
		return nil, nil
	case !refused || sent > 1:
		return t.unclear(ctx, err)
	}
	t.removeObjects(ctx)
	return nil, t.noFleet(err)
}

// publish sends the job once. The server takes it unless it has one with the same ID.
func (t *task) publish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := t.js.PublishMsg(ctx, t.message, jetstream.WithRetryAttempts(0), jetstream.WithExpectStream(jobsStream))
	return err
}

func (t *task) noFleet(err error) error {
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("no fleet at %s: start one, or call Provision: %w", t.nc.ConnectedUrlRedacted(), err)
	}
	return err
}

// unclear is the end of a job that the server may have or not.
func (t *task) unclear(ctx context.Context, err error) ([]byte, error) {
	why := t.noFleet(err)
	if ctx.Err() != nil {
		why = context.Canceled // result says of what
	}
	value, failed := t.cancel(ctx, why)
	if failed != nil {
		return nil, errors.Join(err, failed)
	}
	return value, nil
}

// removeObjects removes what nobody will use.
func (t *task) removeObjects(ctx context.Context) {
	if t.job.Input == "" && t.object == "" {
		return
	}
	ctx = t.afterAll(ctx)
	objects, err := t.stores.objectsOf(ctx, t.options.Name)
	if err != nil {
		return
	}
	remove(ctx, objects, t.job.Input, t.job.Parts)
	remove(ctx, objects, t.object, t.parts)
}

// storeFailed is the server's code for a message that it does not store, with a text that says
// why.
const storeFailed = 10077

// isFull tells whether the server has as many of something as it may.
func isFull(err error, of string) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == storeFailed && strings.Contains(api.Description, "maximum "+of+" exceeded")
}
