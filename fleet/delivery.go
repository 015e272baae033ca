package fleet

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

// delivery is a job that the server has given to this worker.
type delivery struct {
	*Worker
	m          jetstream.Msg
	client, id string
	number     uint64        // of the deliveries of this job
	age        time.Duration // of the job
	claim      claim         // by this delivery
	sent       wire.Job      // the job, or the object that it is in
	job        wire.Job
	digest     string
	ctx        context.Context // ends when the job has been cut off
	cutOff     context.CancelCauseFunc
	results    jetstream.KeyValue
	remote     *remote
	disconnect func() // ends remote
}

// deliver runs a job, and stores its result. The server keeps the job until that is done, and
// gives it to another worker if it does not hear of this one.
func (w *Worker) deliver(ctx context.Context, m jetstream.Msg) {
	d := &delivery{Worker: w, m: m, disconnect: func() {}}
	d.ctx, d.cutOff = context.WithCancelCause(ctx)
	defer d.cutOff(nil)
	defer d.hold()()
	began := time.Now()
	outcome, err := outcomeBack, d.open()
	if err == nil {
		end := w.running.begin(d)
		outcome, err = d.carryOut()
		end()
	}
	if outcome == outcomeBack && d.number > maxDeliveries {
		outcome = outcomeDropped
	}
	w.options.Logger.InfoContext(ctx, "job", "client", d.client, "id", d.id, "delivery", d.number,
		"outcome", outcome, "duration", time.Since(began), "error", err)
	switch outcome {
	case outcomeDone, outcomeBefore:
		m.Ack()
	case outcomeBack:
		m.NakWithDelay(time.Second)
	case outcomeDropped:
		m.Term()
	}
}

// maxDeliveries is more than a job can need. One whose messages, or buckets, are broken has them
// all.
const maxDeliveries = 1000

// open finds out whose job it is.
func (d *delivery) open() error {
	meta, err := d.m.Metadata()
	if err != nil {
		return err
	}
	d.number, d.age = meta.NumDelivered, time.Since(meta.Timestamp)
	if d.client, d.id, err = parseJobSubject(d.m.Subject()); err != nil {
		return err
	}
	d.results, err = d.stores.resultsOf(d.ctx, d.client)
	return err
}

// hold tells the server that the job is being worked on, until the function that it returns is
// called. Another worker may have it all the same, if this one was suspended or cut off.
func (d *delivery) hold() (release func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(d.options.Lease / 3):
			}
			d.m.InProgress()
		}
	}()
	return func() { close(done); <-ended }
}

// given tells whether there is a result, or the call that sent the job has given it up.
func (d *delivery) given(ctx context.Context) (bool, error) {
	keys := []string{resultKey(d.id)}
	if d.sent.Nonce != "" { // it is none of a job that cannot be read
		keys = append(keys, goneKey(d.sent.Nonce))
	}
	for _, key := range keys {
		if value, err := d.find(ctx, key); value != nil || err != nil {
			return value != nil, err
		}
	}
	return false, nil
}

// watch looks again and again whether this worker works in vain. It returns a function that ends
// that.
func (d *delivery) watch() (end func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(d.ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if pause(ctx, d.options.Lease/3); ctx.Err() != nil {
				return
			}
			if there, err := d.given(ctx); err == nil && there || d.keepClaim(ctx) {
				d.cutOff(errLater)
			}
		}
	}()
	return func() { stop(); <-ended }
}

// carryOut runs the job unless it must not be run, and says what came of it.
func (d *delivery) carryOut() (outcome string, err error) {
	d.sent, err = wire.UnmarshalJob(d.m.Data())
	d.job = d.sent
	unreadable := fail(sandbox.OpValidate, err)
	cancelled, err := d.nc.Subscribe(cancelSubject(d.client, d.id), d.cancel)
	if err != nil {
		return outcomeBack, err
	}
	defer cancelled.Unsubscribe()
	if err := d.begin(); errors.Is(err, errLater) {
		return outcomeLater, err
	} else if err != nil {
		return outcomeBack, err
	}
	// By now a client that gives the job up either reaches this worker, or has stored that.
	if err := flush(d.ctx, d.nc); err != nil {
		return outcomeBack, err
	}
	there, err := d.given(d.ctx)
	if err != nil {
		return outcomeBack, err
	}
	if there {
		return outcomeBefore, nil
	}
	end := d.watch()
	defer func() { d.disconnect() }() // when the result is stored: until then the client hears of this worker
	res, err := sandbox.Result{ExitCode: -1}, unreadable
	if err == nil {
		res, err = d.run()
	}
	end()
	return d.judge(res, err)
}

// cancel is told that the client has given the job up. The call that sent it proves that by its
// nonce. Nothing is published where a client that is limited to its own inbox has none.
func (d *delivery) cancel(m *nats.Msg) {
	if !strings.HasPrefix(m.Reply, InboxPrefix(d.client)+".") && !strings.HasPrefix(m.Reply, nats.InboxPrefix) {
		return
	}
	if string(m.Data) != d.sent.Nonce {
		m.Respond([]byte("another call's"))
		return
	}
	m.Respond(nil)
	d.cutOff(context.Canceled)
}
