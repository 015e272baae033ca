package stdio

import "testing"

// BenchmarkHeadTail keeps 64 MiB of 100 MB of output.
func BenchmarkHeadTail(b *testing.B) {
	frame := make([]byte, 32<<10)
	for b.Loop() {
		c := newHeadTailBuffer(64 << 20)
		for range 100_000_000 / len(frame) {
			c.Write(frame)
		}
		c.result()
	}
}
