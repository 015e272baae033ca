package task

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEndings(t *testing.T) {
	failed := errors.New("failed")
	require.NoError(t, Begin(func() error { return nil }).Wait())
	require.ErrorIs(t, Begin(func() error { return failed }).Wait(), failed)
	require.ErrorIs(t, Begin(func() error { runtime.Goexit(); return nil }).Wait(), errGoexit)
	panics := Begin(func() error { panic("as ordered") })
	<-panics.Ended()
	for range 2 {
		require.PanicsWithValue(t, "as ordered", func() { panics.Wait() })
	}
}
