package sandbox

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMeanwhile(t *testing.T) {
	failed := errors.New("failed")
	require.NoError(t, meanwhile(func() error { return nil }).wait())
	require.ErrorIs(t, meanwhile(func() error { return failed }).wait(), failed)
	require.ErrorIs(t, meanwhile(func() error { runtime.Goexit(); return nil }).wait(), errGoexit)
	panics := meanwhile(func() error { panic("as ordered") })
	for range 2 {
		require.PanicsWithValue(t, "as ordered", func() { panics.wait() })
	}
}
