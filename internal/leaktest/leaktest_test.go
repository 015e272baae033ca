package leaktest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestANewGoroutineIsSeen(t *testing.T) {
	before := Now()
	require.Empty(t, before.Left())
	end := make(chan struct{})
	go func() { <-end }()
	require.Len(t, Now(), len(before)+1)
	close(end)
	require.Empty(t, before.Left())
}
