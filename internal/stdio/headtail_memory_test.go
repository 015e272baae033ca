package stdio

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// allocated is what f allocates, in bytes, whether or not it is freed.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// Memory is in proportion to the output, not to the limit, and a full buffer needs no
// second one of its size. The caller keeps the result, perhaps for long, so that is not
// much more than its length.
func TestHeadTailAllocations(t *testing.T) {
	const limit = 64 << 20 // the default
	frame := make([]byte, 32<<10)
	for _, c := range []struct{ output, most int64 }{
		{100, 8 << 10},
		{1_000_000, 2_100_000},
		{12_000_000, 2*12_000_000 + maxPiece},
		{limit / 2, limit + maxPiece},
		{40 << 20, (32 + 64 + 40 + 1) << 20}, // all but twice 40 MiB of it are never written to
		{limit, (32 + 64 + 1) << 20},
		{10 * limit, (32 + 64 + 1) << 20},
	} {
		t.Run(fmt.Sprint(c.output), func(t *testing.T) {
			var logs []byte
			keep := func() {
				b := newHeadTailBuffer(limit)
				for left := c.output; left > 0; left -= int64(len(frame)) {
					b.Write(frame[:min(left, int64(len(frame)))])
				}
				logs, _ = b.result()
			}
			got := allocated(keep)
			for try := 0; try < 5 && got > c.most; try++ { // the runtime may have allocated, too
				got = allocated(keep)
			}
			t.Logf("%d bytes allocated, %.2f for each that was kept", got, float64(got)/float64(len(logs)))
			require.LessOrEqual(t, got, c.most)
			require.LessOrEqual(t, cap(logs), len(logs)+len(logs)/4)
		})
	}
}
