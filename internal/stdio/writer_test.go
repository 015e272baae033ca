package stdio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// In a bubble a goroutine that is left behind fails the test.
func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got bytes.Buffer
		w := NewWriter(t.Context(), "OutputTar", &got, time.Second)
		for range 3 {
			_, err := io.WriteString(w, "some ")
			require.NoError(t, err)
		}
		w.Close()
		require.NoError(t, w.Err())
		require.Equal(t, "some some some ", got.String())
	})
}

// Whatever a caller's Write does, the next one of ours has the same error, and none of the
// caller's begins.
func TestWriterThatFails(t *testing.T) {
	own := errors.New("the disk is full")
	for name, c := range map[string]struct {
		write func([]byte) (int, error)
		want  string
		is    error
	}{
		"error":  {func([]byte) (int, error) { return 0, own }, "OutputTar: the disk is full", own},
		"short":  {func(p []byte) (int, error) { return len(p) - 1, nil }, "OutputTar: short write", io.ErrShortWrite},
		"panic":  {func([]byte) (int, error) { panic("no") }, "OutputTar: Write panicked: no", nil},
		"goexit": {func([]byte) (int, error) { runtime.Goexit(); return 0, nil }, "OutputTar: runtime.Goexit was called", ErrGoexit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				w := NewWriter(t.Context(), "OutputTar", writeFunc(func(p []byte) (int, error) { calls++; return c.write(p) }), time.Second)
				for range 2 {
					_, err := io.WriteString(w, "some")
					require.EqualError(t, err, c.want)
				}
				w.Close()
				require.EqualError(t, w.Err(), c.want)
				require.Equal(t, 1, calls)
				if c.is != nil {
					require.ErrorIs(t, w.Err(), c.is)
				}
			})
		})
	}
}

// Every Write has its time, so that a slow reader of a long archive is no failure; one that
// takes too long is.
func TestWriterThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, takes := range []time.Duration{999 * time.Millisecond, 1001 * time.Millisecond} {
			w := NewWriter(t.Context(), "OutputTar", writeFunc(func(p []byte) (int, error) { <-time.After(takes); return len(p), nil }), time.Second)
			began := time.Now()
			for range 5 {
				io.WriteString(w, "some")
			}
			w.Close()
			if takes < time.Second {
				require.NoError(t, w.Err())
				require.Equal(t, 5*takes, time.Since(began))
				continue
			}
			require.ErrorIs(t, w.Err(), ErrWriterBlocked)
			require.Equal(t, time.Second, time.Since(began), "Close waited for the Write")
			<-time.After(time.Second) // it returns
		}
	})
}

// After the end of the context no Write begins, and one under way has its time.
func TestWriterAfterItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		w := NewWriter(ctx, "OutputTar", writeFunc(func(p []byte) (int, error) {
			calls++
			cancel()
			<-time.After(999 * time.Millisecond)
			return len(p), nil
		}), time.Second)
		n, err := io.WriteString(w, "some")
		require.NoError(t, err)
		require.Equal(t, 4, n)
		for range 3 {
			_, err = io.WriteString(w, "more")
			require.ErrorIs(t, err, context.Canceled)
		}
		w.Close()
		require.Equal(t, 1, calls)
	})
}
