package owner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRunThatEndsDuringASweep(t *testing.T) {
	before, during := RandomID(), RandomID()
	Begin(before)
	Begin(during)
	End(before)
	w := NewWatch()
	for _, id := range []string{before, during} {
		require.False(t, w.Ended(id))
	}
	require.NotEmpty(t, KeepReason(Labels(during, time.Time{}), time.Now()))
	End(during)
	require.Empty(t, KeepReason(Labels(during, time.Time{}), time.Now()))
	require.True(t, w.Ended(during))
	require.False(t, w.Ended(before))
	w.Close()
	later := NewWatch()
	defer later.Close()
	require.False(t, later.Ended(during), "what is left of it is left over")
}
