package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Both streams come in the order in which they were written.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all bytes.Buffer
		q := newQueue()
		out, err := q.to(&all), q.to(&all)
		for range 1000 {
			out.Write([]byte("a"))
			err.Write([]byte("b"))
		}
		require.NoError(t, q.drain(t.Context()))
		require.Equal(t, bytes.Repeat([]byte("ab"), 1000), all.Bytes())
	})
}

// A reader that pauses, however long, gets all of it, and no Write takes longer than the library
// waits for one.
func TestQueueOfWhoPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, pause := 0, make(chan struct{})
		q := newQueue()
		to := q.to(writerFunc(func(p []byte) (int, error) { <-pause; got += len(p); return len(p), nil }))
		piece := make([]byte, 1<<20)
		const more = 10
		for range queueSize>>20 + more {
			began := time.Now()
			n, err := to.Write(piece)
			require.NoError(t, err)
			require.Equal(t, len(piece), n)
			require.LessOrEqual(t, time.Since(began), hold)
		}
		go func() { <-time.After(time.Hour); close(pause) }()
		require.NoError(t, q.drain(t.Context()))
		require.Equal(t, queueSize+more<<20, got)
	})
}

// A reader that is gone gets no more, and the other one all of it.
func TestQueueOfWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("broken pipe")
		var kept bytes.Buffer
		q := newQueue()
		out, err := q.to(writerFunc(func([]byte) (int, error) { return 0, gone })), q.to(&kept)
		out.Write([]byte("a"))
		err.Write([]byte("warning"))
		synctest.Wait()
		_, failed := out.Write([]byte("b"))
		require.Equal(t, gone, failed)
		require.Equal(t, gone, q.drain(t.Context()))
		require.Equal(t, "warning", kept.String())
	})
}

// After a signal a reader that pauses is not waited for long, and that is no success.
func TestQueueAfterASignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(errors.New("stopped by interrupt"))
		read := make(chan struct{})
		q := newQueue()
		q.to(writerFunc(func(p []byte) (int, error) { <-read; return len(p), nil })).Write([]byte("a"))
		began := time.Now()
		failed := q.drain(ctx)
		require.Equal(t, parting, time.Since(began))
		require.ErrorIs(t, failed, context.Canceled)
		require.ErrorContains(t, failed, "stopped by interrupt")
		close(read)
	})
}
