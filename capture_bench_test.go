package sandbox

import "testing"

// BenchmarkCapture keeps 64 MiB of 100 MB of output.
func BenchmarkCapture(b *testing.B) {
	frame := make([]byte, 32<<10)
	for b.Loop() {
		c := newCapture(defaultLogBytes)
		for range 100_000_000 / len(frame) {
			c.Write(frame)
		}
		c.result()
	}
}
