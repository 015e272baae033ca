package fleet

import (
	"context"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

// The readers and writers of a job stay with its client. The worker asks it for each Read and
// Write, and waits for the answer, so that a slow one slows the command down, and a failed one
// ends it, as without a fleet. A call that is not answered is made again, with its number, and
// carried out once.
const (
	verbStdin     = "stdin"
	verbStdout    = "stdout"
	verbStderr    = "stderr"
	verbSetup     = "setup"
	verbOutputTar = "outputtar"
	verbBeat      = "beat" // is the client there? and: the worker is
)

// The headers of calls and answers.
const (
	headerCall     = "Call"     // the number of a call of its verb
	headerDelivery = "Delivery" // the job's
	headerSize     = "Size"     // the most that a Read may bring
	headerAnswer   = "Answer"   // one of those below; "" = done
)

// Answers.
const (
	answerFailed = "failed" // with the error's text
	answerEnd    = "end"    // of Stdin
	answerLater  = "later"  // the job has been given to another worker
	answerLost   = "lost"   // the job cannot be run again
)

// live serves a job's readers and writers.
type live struct {
	nc      *nats.Conn
	subject string
	sub     *nats.Subscription
	lanes   map[string]*lane // by verb

	mu       sync.Mutex
	delivery uint64           // whose calls are answered
	touched  bool             // by then, something was read or written
	beats    int              // since the last look
	errs     map[string]error // of readers and writers, by verb
}

func newLive(nc *nats.Conn, client, id, nonce string, j sandbox.Job) *live {
	l := &live{nc: nc, subject: liveSubject(client, id, nonce, "*"), lanes: map[string]*lane{}, errs: map[string]error{}}
	output := newLane(l) // one for both: they may be the same writer
	if j.Stdout != nil {
		l.lanes[verbStdout] = output.serving(verbStdout, writing(j.Stdout))
	}
	if j.Stderr != nil {
		l.lanes[verbStderr] = output.serving(verbStderr, writing(j.Stderr))
	}
	if j.Setup.Output != nil {
		l.lanes[verbSetup] = newLane(l).serving(verbSetup, writing(j.Setup.Output))
	}
	if j.OutputTar != nil {
		l.lanes[verbOutputTar] = newLane(l).serving(verbOutputTar, writing(j.OutputTar))
	}
	if j.Stdin != nil {
		l.lanes[verbStdin] = newLane(l).serving(verbStdin, reading(j.Stdin))
	}
	return l
}

// begin begins to serve, until close.
func (l *live) begin(ctx context.Context) (err error) {
	for _, lane := range l.lanes {
		lane.begin()
	}
	l.sub, err = l.nc.Subscribe(l.subject, l.take)
	if err == nil {
		err = flush(ctx, l.nc)
	}
	return err
}

// close makes sure that no Read or Write begins any more, and waits for those under way no
// longer than the caller's reader or writer takes to return, if it ever does.
func (l *live) close() {
	if l.sub != nil {
		l.sub.Unsubscribe()
	}
	for _, lane := range l.lanes {
		lane.close()
	}
}

// call is a call of a worker's.
type call struct {
	verb   string
	number uint64
	size   int // of a Read
	m      *nats.Msg
}

// take is called for each message. It never waits for a reader or writer.
func (l *live) take(m *nats.Msg) {
	verb := m.Subject[len(l.subject)-1:]
	delivery, _ := strconv.ParseUint(m.Header.Get(headerDelivery), 10, 64)
	if answer := l.admit(delivery, verb); answer != "" {
		respond(m, answer, nil)
		return
	}
	if verb == verbBeat {
		respond(m, "", nil)
		return
	}
	lane := l.lanes[verb]
	number, err := strconv.ParseUint(m.Header.Get(headerCall), 10, 64)
	if lane == nil || err != nil {
		return
	}
	size, _ := strconv.Atoi(m.Header.Get(headerSize))
	lane.take(call{verb, number, size, m})
}

// admit tells whether calls of that delivery are answered, by "" or by an answer that says why
// not. The first call of a later delivery makes those of earlier ones fail.
func (l *live) admit(delivery uint64, verb string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case delivery < l.delivery:
		return answerLater
	case delivery > l.delivery && l.touched:
		return answerLost
	}
	l.delivery = delivery
	l.beats++
	if verb != verbBeat {
		l.touched = true
	}
	return ""
}

// local returns the error of a reader or writer, by verb.
func (l *live) local(verb string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.errs[verb]; err != nil {
		return err
	}
	return &wire.LocalError{Name: verb, Text: "a reader or writer failed"}
}

func (l *live) fail(verb string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.errs[verb] == nil {
		l.errs[verb] = err
	}
}

// isOf tells whether the result of a delivery can be that of what the readers and writers saw.
func (l *live) isOf(delivery uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.touched || delivery >= l.delivery
}

// look tells whether a worker has the job, and a reader or writer has been used; and whether
// the worker was heard of since the last look.
func (l *live) look() (touched, heard bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard = l.beats > 0
	l.beats = 0
	return l.touched, heard
}

func respond(m *nats.Msg, answer string, data []byte) {
	r := &nats.Msg{Subject: m.Reply, Data: data}
	if answer != "" {
		r.Header = nats.Header{headerAnswer: {answer}}
	}
	m.RespondMsg(r) // what is lost is asked for again
}
