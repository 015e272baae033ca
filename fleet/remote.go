package fleet

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
)

// maxChunk is the most that a call carries. Servers take messages of a mebibyte.
const maxChunk = 256 << 10

// remote is the client whose readers and writers a job uses, as its worker sees it.
type remote struct {
	nc       *nats.Conn
	subject  func(verb string) string
	delivery string
	ctx      context.Context // ends with the delivery
	end      context.CancelCauseFunc
	used     atomic.Bool // a reader or writer was
}

// errLater is why a job is cut off that another worker has by now.
var errLater = errors.New("the job has been given to another worker")

// bind gives the job its readers and writers.
func (r *remote) bind(j *sandbox.Job, live wire.Live) {
	if live.Stdin {
		j.Stdin = &remoteReader{remote: r}
	}
	if live.Stdout {
		j.Stdout = &remoteWriter{remote: r, verb: verbStdout}
	}
	if live.Stderr {
		j.Stderr = &remoteWriter{remote: r, verb: verbStderr}
	}
	if live.Setup {
		j.Setup.Output = &remoteWriter{remote: r, verb: verbSetup}
	}
	if live.OutputTar {
		j.OutputTar = &remoteWriter{remote: r, verb: verbOutputTar}
	}
}

// maxBeat is how often the client is asked whether it is there, at least.
const maxBeat = 10 * time.Second

// beat asks whether the client is there, as untilAnswered does.
func (r *remote) beat(within time.Duration) error {
	m := r.message(verbBeat, 0, 0, nil)
	answer, err := untilAnswered(r.ctx, r.nc, within, func(ctx context.Context) (*nats.Msg, error) {
		return r.nc.RequestMsgWithContext(ctx, m)
	})
	if err != nil {
		return err
	}
	_, err = r.answer(verbBeat, answer)
	return err
}

// untilAnswered asks a client again and again, until it answers, or the server has not known it for
// that long. While the server is away nobody can tell.
func untilAnswered(ctx context.Context, nc *nats.Conn, within time.Duration, ask func(context.Context) (*nats.Msg, error)) (*nats.Msg, error) {
	for gone := time.Duration(0); gone < within && !nc.IsClosed(); {
		began := time.Now()
		once, cancel := context.WithTimeout(ctx, min(within, 2*time.Second))
		answer, err := ask(once)
		cancel()
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		pause(ctx, 100*time.Millisecond)
		if nc.IsConnected() {
			gone += time.Since(began)
		} else {
			gone = 0
		}
	}
	return nil, wire.ErrClientLost
}

// keep asks so again and again, and cuts the job off when the client is gone.
func (r *remote) keep(lease time.Duration) {
	for {
		if pause(r.ctx, min(lease/3, maxBeat)); r.ctx.Err() != nil {
			return
		}
		if err := r.beat(lease); err != nil {
			if r.ctx.Err() == nil {
				r.end(err)
			}
			return
		}
	}
}

func (r *remote) message(verb string, number uint64, size int, data []byte) *nats.Msg {
	return &nats.Msg{Subject: r.subject(verb), Data: data, Header: nats.Header{
		headerDelivery: {r.delivery}, headerCall: {strconv.FormatUint(number, 10)}, headerSize: {strconv.Itoa(size)},
	}}
}

// call makes a call until it is answered, or ctx ends.
func (r *remote) call(ctx context.Context, verb string, number uint64, size int, data []byte) ([]byte, error) {
	m := r.message(verb, number, size, data)
	for patience := 500 * time.Millisecond; ; patience = min(2*patience, 5*time.Second) {
		once, cancel := context.WithTimeout(ctx, patience) // the answer may be lost, or take long
		answer, err := r.nc.RequestMsgWithContext(once, m)
		cancel()
		if err == nil {
			return r.answer(verb, answer)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, nats.ErrMaxPayload) || r.nc.IsClosed() {
			return nil, err
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			pause(ctx, 100*time.Millisecond) // it is gone, or the server is, for a moment at least
		}
	}
}

func (r *remote) answer(verb string, m *nats.Msg) ([]byte, error) {
	switch m.Header.Get(headerAnswer) {
	case "":
		return m.Data, nil
	case answerEnd:
		return nil, io.EOF
	case answerLater:
		r.end(errLater)
		return nil, errLater
	case answerLost:
		r.end(wire.ErrWorkerLost)
		return nil, wire.ErrWorkerLost
	}
	return nil, &wire.LocalError{Name: verb, Text: string(m.Data)}
}

// remoteReader is the client's Stdin.
type remoteReader struct {
	*remote
	calls uint64
}

func (r *remoteReader) Read(p []byte) (int, error) {
	r.used.Store(true)
	r.calls++
	data, err := r.call(r.ctx, verbStdin, r.calls, min(len(p), maxChunk), nil)
	return copy(p, data), err
}

// remoteWriter is a writer of the client's.
type remoteWriter struct {
	*remote
	verb  string
	calls uint64
}

func (w *remoteWriter) Write(p []byte) (n int, err error) {
	w.used.Store(true)
	size := min(maxChunk, max(int(w.nc.MaxPayload())-4<<10, 1)) // with room for headers
	for n < len(p) {
		chunk := p[n:min(n+size, len(p))]
		w.calls++
		if _, err := w.call(w.ctx, w.verb, w.calls, 0, chunk); err != nil {
			return n, err
		}
		n += len(chunk)
	}
	return n, nil
}
