package fleet

import (
	"fmt"
	"io"
	"sync"

	"github.com/synchestra-io/sandbox/internal/stdio"
)

// lane carries out the calls of some verbs in a goroutine of its own, one at a time. One that
// never returns leaves that goroutine behind, and nothing else.
type lane struct {
	live  *live
	serve map[string]service
	calls chan call
	once  sync.Once     // begins
	ended chan struct{} // closed when the goroutine has; nil = it was not begun

	mu     sync.Mutex
	inside bool             // a call is being carried out
	shut   bool             // no call may begin
	state  map[string]*last // by verb
}

// service is a Read, or a Write of what the call brought.
type service func(c call) (data []byte, err error)

// last is the last call of a verb.
type last struct {
	call     call // as it was made last, which is where the answer goes
	answered bool
	answer   string
	data     []byte
}

func newLane(l *live) *lane {
	return &lane{live: l, serve: map[string]service{}, state: map[string]*last{}}
}

func (l *lane) serving(verb string, s service) *lane {
	l.serve[verb], l.state[verb] = s, &last{answered: true}
	return l
}

// begin begins the goroutine, which close waits for.
func (l *lane) begin() {
	l.once.Do(func() {
		l.calls, l.ended = make(chan call, len(l.serve)), make(chan struct{})
		go l.run()
	})
}

// take takes a call. One that was taken before is answered again, or when it has been carried
// out, and one that is older is not answered.
func (l *lane) take(c call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state[c.verb]
	switch {
	case l.shut:
	case c.number == s.call.number && s.answered:
		respond(c.m, s.answer, s.data)
	case c.number == s.call.number:
		s.call.m = c.m
	case c.number == s.call.number+1 && s.answered:
		*s = last{call: c}
		l.calls <- c // it has room for one of each verb
	}
}

func (l *lane) run() {
	defer close(l.ended)
	for c := range l.calls {
		if l.enter() {
			l.carryOut(c)
		}
	}
}

func (l *lane) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inside = !l.shut
	return l.inside
}

// carryOut answers also when the reader or writer ends the goroutine.
func (l *lane) carryOut(c call) {
	data, err := []byte(nil), stdio.ErrGoexit
	defer func() {
		answer := ""
		switch {
		case err == io.EOF:
			answer = answerEnd
		case err != nil:
			l.live.fail(c.verb, err)
			text := err.Error()
			answer, data = answerFailed, []byte(text[:min(len(text), maxErrorText)])
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		s := l.state[c.verb]
		s.answered, s.answer, s.data, l.inside = true, answer, data, false
		respond(s.call.m, answer, data)
	}()
	data, err = l.serve[c.verb](c)
}

// close makes sure that no call begins any more, and waits for the goroutine unless a call is
// being carried out: that may never return.
func (l *lane) close() {
	l.mu.Lock()
	if !l.shut && l.calls != nil {
		close(l.calls)
	}
	l.shut = true
	wait := l.ended != nil && !l.inside
	l.mu.Unlock()
	if wait {
		<-l.ended
	}
}

// maxErrorText is as much of an error's text as the worker gets. The client has the error itself.
const maxErrorText = 16 << 10

// writing writes by the rules of os/exec: a short Write is an error. So is a panic, which must
// not crash the caller's process from a goroutine that it does not know about.
func writing(w io.Writer) service {
	return func(c call) (_ []byte, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("Write panicked: %v", r)
			}
		}()
		n, err := w.Write(c.m.Data)
		if err == nil && n != len(c.m.Data) {
			err = io.ErrShortWrite
		}
		if err == io.EOF { // it would be taken for an end
			err = fmt.Errorf("Write: %w", err)
		}
		return nil, err
	}
}

// reading reads what the worker has room for. Data and the end are two answers.
func reading(r io.Reader) service {
	src := stdio.NewSource(r)
	var failed error
	return func(c call) ([]byte, error) {
		if failed != nil {
			return nil, failed
		}
		p := make([]byte, min(max(c.size, 0), maxChunk))
		var n int
		n, failed = src.Read(p)
		if n > 0 {
			return p[:n], nil
		}
		return nil, failed
	}
}
