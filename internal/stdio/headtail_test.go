package stdio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pattern is output in which every place looks different from its neighbours.
func pattern(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

// captured is what a capture of that limit must keep of all that was written.
func captured(all string, limit int) (string, int64) {
	if len(all) <= limit {
		return all, 0
	}
	head, tail := limit/2, limit-limit/2
	dropped := len(all) - limit
	return all[:head] + fmt.Sprintf("\n[sandbox: %d bytes dropped]\n", dropped) + all[len(all)-tail:], int64(dropped)
}

// write writes in pieces and checks what Write promises, and the memory.
func write(t *testing.T, c *headTailBuffer, all string, piece func() int) {
	t.Helper()
	for len(all) > 0 {
		p := []byte(all[:min(piece(), len(all))])
		n, err := c.Write(p)
		require.NoError(t, err)
		require.Equal(t, len(p), n)
		requireBounded(t, c)
		clear(p) // the caller's buffer is the caller's
		all = all[n:]
	}
}

func requireCaptured(t *testing.T, c *headTailBuffer, all string) {
	t.Helper()
	want, wantDropped := captured(all, int(c.limit))
	got, dropped := c.result()
	require.Equal(t, want, string(got))
	require.Equal(t, wantDropped, dropped)
	require.LessOrEqual(t, int64(cap(got)), c.limit+markerRoom, "memory beyond the limit")
	require.LessOrEqual(t, cap(got), len(got)+len(got)/4, "the caller would keep memory that it has no use for")
}

// requireBounded checks that the pieces of the head are no more than the head, and that
// there is no ring without need.
func requireBounded(t *testing.T, c *headTailBuffer) {
	t.Helper()
	size := int64(0)
	for _, piece := range c.head {
		size += int64(cap(piece))
	}
	require.LessOrEqual(t, size, c.headLimit())
	require.LessOrEqual(t, size, max(2*c.total, minPiece))
	require.LessOrEqual(t, int64(cap(c.whole)), c.limit+markerRoom)
	require.Equal(t, c.total > c.headLimit(), c.whole != nil)
}

func TestHeadTailSizes(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 4, 5, 7, 8, 64, 101} {
		for size := range 3*limit + 3 {
			for _, piece := range []int{1, 2, 3, limit, limit + 1, 5 * limit} {
				c := newHeadTailBuffer(int64(limit))
				write(t, c, pattern(size), func() int { return piece })
				requireCaptured(t, c, pattern(size))
			}
		}
	}
}

func TestHeadTailRandomWrites(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		limit := 1 + random.IntN(20_000)
		all := pattern(random.IntN(4 * limit))
		c := newHeadTailBuffer(int64(limit))
		write(t, c, all, func() int { return 1 + random.IntN(1+random.IntN(2*limit)) })
		requireCaptured(t, c, all)
	}
}

// The memory is never more than the limit and the marker, whatever sizes the
// buffer goes through while it grows.
func TestHeadTailMemory(t *testing.T) {
	for _, limit := range []int{4096, 8192, 10_000, 64 << 10} {
		for first := limit/2 - 70; first <= limit/2+70; first++ {
			sizes := []int{first, limit}
			c := newHeadTailBuffer(int64(limit))
			all := pattern(limit + limit/2)
			write(t, c, all, func() int { n := sizes[0]; sizes = append(sizes[1:], n); return n })
			requireCaptured(t, c, all)
		}
	}
}

func TestHeadTailEmptyWrites(t *testing.T) {
	c := newHeadTailBuffer(2)
	for _, p := range []string{"", "abc", "", "d"} {
		n, err := c.Write([]byte(p))
		require.NoError(t, err)
		require.Equal(t, len(p), n)
	}
	requireCaptured(t, c, "abcd")

	got, dropped := newHeadTailBuffer(2).result()
	require.Empty(t, got)
	require.Zero(t, dropped)
}

// With no limit to speak of, nothing is copied, and pieces grow: there must not be one
// for each write.
func TestHeadTailGrowsGeometrically(t *testing.T) {
	for _, limit := range []int64{math.MaxInt64, math.MaxInt64 - 1, 1 << 40} {
		c := newHeadTailBuffer(limit)
		for range 1024 {
			_, err := c.Write(make([]byte, 256))
			require.NoError(t, err)
		}
		require.LessOrEqual(t, len(c.head), 20, "limit %d", limit)
	}
}

// A little output needs little memory, whatever the limit.
func TestHeadTailStartsSmall(t *testing.T) {
	c := newHeadTailBuffer(64 << 20)
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	require.LessOrEqual(t, cap(c.head[0]), 64<<10)
	require.Nil(t, c.whole)
}
