package stdio

import (
	"bytes"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// No Read begins when the source is shut, and one that is under way is seen.
func TestSourceShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, reads := make(chan struct{}), 0
		s := NewSource(readFunc(func(p []byte) (int, error) {
			reads++
			<-release
			return copy(p, "data"), nil
		}))
		var fed bytes.Buffer
		end := Feed(&fed, func() error { require.Fail(t, "it is no end"); return nil }, s)
		synctest.Wait()
		require.True(t, s.Busy())
		s.Shut()
		require.True(t, s.Busy())
		close(release)
		_, failed := <-end
		require.False(t, failed)
		require.False(t, s.Busy())
		require.Equal(t, 1, reads)
		require.Equal(t, "data", fed.String())
		_, err := s.Read(nil)
		require.ErrorIs(t, err, ErrShut)
	})
	require.Nil(t, NewSource(nil))
	NewSource(nil).Shut()
	require.False(t, NewSource(nil).Busy())
}

// A Read that panics or ends its goroutine is over.
func TestSourceIsNotBusyForEver(t *testing.T) {
	for name, read := range map[string]readFunc{
		"panic":  func([]byte) (int, error) { panic("no more") },
		"Goexit": func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
	} {
		s := NewSource(read)
		for err := range Feed(io.Discard, func() error { return nil }, s) {
			require.Error(t, err, name)
		}
		require.False(t, s.Busy(), name)
	}
}

// No Write begins after the cut-off, not even of what was handed over before it, and
// the goroutine is waited for.
func TestOutputNoWriteAfterTheCutOff(t *testing.T) {
	for range 1000 {
		var cut atomic.Bool
		o, out, _ := ends(writeFunc(func(p []byte) (int, error) {
			if cut.Load() {
				t.Error("a Write began")
			}
			return len(p), nil
		}), nil)
		emitted := make(chan struct{})
		go func() {
			defer close(emitted)
			for range 20 {
				out.Write([]byte("text"))
			}
			o.End()
		}()
		o.CutOff()
		if !o.writes.gate.occupied() {
			cut.Store(true)
		}
		<-emitted
		o.Wait()
	}
}

// A Write that does not return is not waited for.
func TestOutputWaitLeavesAWriteAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		o, out, _ := ends(writeFunc(func(p []byte) (int, error) { <-release; return len(p), nil }), nil)
		go func() { out.Write([]byte("text")); o.End() }()
		synctest.Wait()
		o.CutOff()
		synctest.Wait()
		o.Wait()
		require.ErrorIs(t, o.Err(), ErrWriterBlocked)
		close(release)
	})
}
