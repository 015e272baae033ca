package dockerx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/bounds"
)

const (
	waitRoute    = "POST /containers/c/wait"
	inspectRoute = "GET /containers/c/json"
)

func state(status string, exitCode int) answer {
	return answer{200, fmt.Sprintf(`{"State":{"Status":%q,"ExitCode":%d}}`, status, exitCode)}
}

// pending acknowledges a wait and answers it when told to: with a body, or by
// breaking the connection.
type pending chan string

func (p pending) serve(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("condition") != "next-exit" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.(http.Flusher).Flush()
	select {
	case body := <-p:
		if body == broken {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, body)
	case <-r.Context().Done():
	}
}

const broken = "broken"

// waitAnswered starts a wait, and has the engine answer it.
func waitAnswered(t *testing.T, body string, inspects http.HandlerFunc) Exit {
	t.Helper()
	wait := make(pending)
	c := fakeEngine(t, routes{waitRoute: wait.serve, inspectRoute: inspects})
	exited, err := c.Wait(context.Background(), "c")
	require.NoError(t, err)
	wait <- body
	return only(t, exited)
}

// only is the one value of a channel that is closed after it.
func only(t *testing.T, exited <-chan Exit) (exit Exit) {
	t.Helper()
	inTime(t, func() {
		var ok, more bool
		exit, ok = <-exited
		require.True(t, ok)
		_, more = <-exited
		require.False(t, more)
	})
	return exit
}

// A wait's word alone is not enough: the engine also says 0 for a container
// that is removed, and a connection that breaks says nothing.
func TestWaitConfirms(t *testing.T) {
	running, exited := state("running", 0), state("exited", 7)
	again := answer{200, `{"State":{"Status":"running","FinishedAt":"2026-01-02T03:04:05Z"}}`}
	boom := refused(500, "boom")
	for name, c := range map[string]struct {
		body     string
		inspects []answer
		want     Exit
	}{
		"exit":                       {`{"StatusCode":7}`, []answer{exited}, Exit{Code: 7}},
		"exit status 0":              {`{"StatusCode":0}`, []answer{state("exited", 0)}, Exit{}},
		"state overwritten later":    {`{"StatusCode":3}`, []answer{state("exited", 137)}, Exit{Code: 3}},
		"state follows later":        {`{"StatusCode":7}`, []answer{running, running, exited}, Exit{Code: 7}},
		"state not to be had first":  {`{"StatusCode":7}`, []answer{boom, exited}, Exit{Code: 7}},
		"removed":                    {`{"StatusCode":0}`, []answer{notFound}, Exit{Err: ErrGone}},
		"being removed":              {`{"StatusCode":137}`, []answer{state("removing", 137)}, Exit{Err: ErrGone}},
		"started again":              {`{"StatusCode":143}`, []answer{again}, Exit{Err: errRestarted}},
		"broken, started again":      {broken, []answer{running, again}, Exit{Err: errRestarted}},
		"dead":                       {`{"StatusCode":0}`, []answer{state("dead", 0)}, Exit{Err: ErrGone}},
		"broken, exited":             {broken, []answer{exited}, Exit{Code: 7}},
		"broken, exits later":        {broken, []answer{running, state("paused", 0), running, exited}, Exit{Code: 7}},
		"broken, not to be had, too": {broken, []answer{running, boom, exited}, Exit{Code: 7}},
		"broken, removed":            {broken, []answer{running, notFound}, Exit{Err: ErrGone}},
		"cut by a proxy":             {"<html>504 gateway timeout</html>", []answer{running, exited}, Exit{Code: 7}},
		"the engine's own error":     {`{"StatusCode":0,"Error":{"Message":"boom"}}`, []answer{exited}, Exit{Code: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			exit := waitAnswered(t, c.body, inTurn(c.inspects...).serve)
			require.Equal(t, c.want.Code, exit.Code)
			require.ErrorIs(t, exit.Err, c.want.Err)
		})
	}
}

// Nor is it waited for ever for an engine that does not confirm it.
func TestConfirmGivesUp(t *testing.T) {
	lost := errors.New("connection lost")
	for name, c := range map[string]struct {
		said     Exit
		inspects http.HandlerFunc
		err      string
	}{
		"silent after an exit":        {Exit{Code: 7}, silent, "no answer from the engine within 300ms"},
		"silent after a break":        {Exit{Err: lost}, silent, "no answer from the engine within 300ms"},
		"failing after a break":       {Exit{Err: lost}, inTurn(refused(500, "boom")).serve, "boom"},
		"state unknown":               {Exit{Err: lost}, inTurn(answer{200, "{}"}).serve, "no container state"},
		"exit of a running container": {Exit{Code: 7}, inTurn(state("running", 0)).serve, "has not stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{inspectRoute: c.inspects})
			bound := time.Second // enough for an answer on a busy machine
			if strings.HasPrefix(name, "silent") {
				bound = 300 * time.Millisecond
			}
			inTime(t, func() {
				err := engine.confirm(bounds.With(ample, bounds.Bounds{Call: bound}), "c", c.said).Err
				require.ErrorContains(t, err, c.err)
				require.Equal(t, c.said.Err != nil, errors.Is(err, lost), "the break is told, too")
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, context.Canceled)
			})
		})
	}
}

// A bound of a call is none for the job: after a break it may run on for longer.
func TestConfirmWaitsForALongRun(t *testing.T) {
	const bound, run = 300 * time.Millisecond, 700 * time.Millisecond
	start := time.Now()
	engine := fakeEngine(t, routes{inspectRoute: func(w http.ResponseWriter, r *http.Request) {
		now := state("running", 0)
		if time.Since(start) > run {
			now = state("exited", 7)
		}
		inTurn(now).serve(w, r)
	}})
	inTime(t, func() {
		exit := engine.confirm(bounds.With(ample, bounds.Bounds{Call: bound}), "c", Exit{Err: io.ErrUnexpectedEOF, Broke: true})
		require.NoError(t, exit.Err)
		require.Equal(t, 7, exit.Code)
		require.True(t, exit.Broke)
		require.WithinDuration(t, start, exit.Alive, run)
	})
}

// A broken wait must not end the wait for a container that runs on.
func TestWaitEndsWithContext(t *testing.T) {
	for name, body := range map[string]string{"waiting": "", "broken": broken} {
		t.Run(name, func(t *testing.T) {
			wait, looks := make(pending), make(chan struct{}, 1000)
			c := fakeEngine(t, routes{waitRoute: wait.serve, inspectRoute: func(w http.ResponseWriter, r *http.Request) {
				inTurn(state("running", 0)).serve(w, r)
				looks <- struct{}{}
			}})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			exited, err := c.Wait(ctx, "c")
			require.NoError(t, err)
			if body != "" {
				wait <- body
				<-looks
				<-looks
			}
			require.Empty(t, exited)
			cancel()
			require.ErrorIs(t, only(t, exited).Err, context.Canceled)
		})
	}
}

func TestWaitRegistration(t *testing.T) {
	refuses := fakeEngine(t, routes{waitRoute: inTurn(refused(404, "no such container")).serve})
	_, err := refuses.Wait(context.Background(), "c")
	require.ErrorContains(t, err, "no such container")

	mute := fakeEngine(t, routes{waitRoute: silent})
	inTime(t, func() {
		_, err := mute.Wait(brief, "c")
		require.ErrorContains(t, err, "no answer from the engine within 100ms")
	})
}

// The registration is bounded, the wait itself is not.
func TestWaitOutlivesItsBound(t *testing.T) {
	const bound = 400 * time.Millisecond
	wait := make(pending)
	c := fakeEngine(t, routes{waitRoute: wait.serve, inspectRoute: inTurn(state("exited", 7)).serve})
	exited, err := c.Wait(bounds.With(ample, bounds.Bounds{Call: bound}), "c")
	require.NoError(t, err)
	select {
	case exit := <-exited:
		require.Fail(t, "ended by itself", "%+v", exit)
	case <-time.After(bound + bound/2):
	}
	wait <- `{"StatusCode":7}`
	require.Equal(t, Exit{Code: 7}, only(t, exited))
}

// Podman has a negative status for one that it does not know, or not yet.
func TestWaitForAnUnknownStatus(t *testing.T) {
	unknown := inTurn(answer{200, `{"StatusCode":-1}`}).serve
	for name, c := range map[string]struct {
		states []answer
		want   Exit
	}{
		"known later": {[]answer{state("running", 0), state("exited", 3)}, Exit{Code: 3}},
		"never known": {[]answer{state("exited", -1)}, Exit{Err: errUnknownStatus}},
	} {
		t.Run(name, func(t *testing.T) {
			engine := fakeEngine(t, routes{waitRoute: unknown, inspectRoute: inTurn(c.states...).serve})
			exited, err := engine.Wait(context.Background(), "c")
			require.NoError(t, err)
			e := only(t, exited)
			require.Equal(t, c.want.Code, e.Code)
			require.ErrorIs(t, e.Err, c.want.Err)
		})
	}
}

// A connection that has broken before an exit was seen by a look is told of: with it, output
// can have been lost.
func TestWaitThatBreaksBeforeALook(t *testing.T) {
	results, errs := make(chan container.WaitResponse), make(chan error, 1)
	c := fakeEngine(t, routes{inspectRoute: func(w http.ResponseWriter, r *http.Request) {
		select {
		case errs <- io.ErrUnexpectedEOF:
		default:
		}
		inTurn(state("exited", 3)).serve(w, r)
	}})
	c.podman.Store(true)
	e := c.receive(context.Background(), "c", results, errs, func(error) {})
	require.ErrorIs(t, e.Err, io.ErrUnexpectedEOF)
}

// An exit that Podman's wait missed is seen all the same.
func TestWaitThatPodmanNeverAnswers(t *testing.T) {
	c := fakeEngine(t, routes{
		waitRoute:    make(pending).serve,
		inspectRoute: inTurn(state("created", 0), state("running", 0), state("exited", 3)).serve,
	})
	c.podman.Store(true)
	exited, err := c.Wait(context.Background(), "c")
	require.NoError(t, err)
	e := only(t, exited)
	require.NoError(t, e.Err)
	require.Equal(t, 3, e.Code)
	require.False(t, e.Broke)
}
