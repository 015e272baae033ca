package stdio

import (
	"fmt"
	"slices"
)

// headTailBuffer keeps the head and the tail of what is written to it, up to limit
// bytes, and counts the rest. Write never fails and never waits. The first half
// of the limit is the head; what follows goes round in a ring behind it. Memory
// grows with the output up to the limit and the marker.
type headTailBuffer struct {
	limit int64
	buf   []byte // head, then the ring
	total int64  // bytes written
}

func newHeadTailBuffer(limit int64) *headTailBuffer { return &headTailBuffer{limit: limit} }

func (c *headTailBuffer) head() int64 { return c.limit / 2 }

func (c *headTailBuffer) Write(p []byte) (int, error) {
	n := len(p)
	if room := c.limit - int64(len(c.buf)); room > 0 {
		k := min(room, int64(len(p)))
		c.grow(k)
		c.buf = append(c.buf, p[:k]...)
		c.total += k
		p = p[k:]
	}
	ring := c.buf[min(c.head(), int64(len(c.buf))):]
	for len(p) > 0 {
		at := (c.total - c.head()) % int64(len(ring))
		k := copy(ring[at:], p)
		c.total += int64(k)
		p = p[k:]
	}
	return n, nil
}

// grow makes the buffer four times as large as needed, and, once a sixteenth of the
// limit is needed, as large as it will ever be: copies of old buffers cost memory,
// pages that are not written to do not.
func (c *headTailBuffer) grow(k int64) {
	need := int64(len(c.buf)) + k
	if need <= int64(cap(c.buf))-markerRoom {
		return
	}
	size := max(4*need, 4<<10)
	if need > c.limit/16 {
		size = c.limit
	}
	c.buf = append(make([]byte, 0, min(size, c.limit)+markerRoom), c.buf...)
}

// markerRoom is enough for the marker with any count.
const markerRoom = 64

// result returns what was kept, with a marker in place of what was dropped, and
// the number of bytes dropped. The capture must not be written to after.
func (c *headTailBuffer) result() ([]byte, int64) {
	kept := len(c.buf)
	dropped := c.total - int64(kept)
	if dropped == 0 {
		return c.buf, 0
	}
	head := int(c.head())
	ring := c.buf[head:]
	rotate(ring, int((c.total-c.head())%int64(len(ring))))
	marker := fmt.Appendf(nil, "\n[sandbox: %d bytes dropped]\n", dropped)
	c.buf = append(c.buf, marker...)
	copy(c.buf[head+len(marker):], c.buf[head:kept])
	copy(c.buf[head:], marker)
	return c.buf, dropped
}

// rotate moves the first k bytes behind the rest, in place.
func rotate(b []byte, k int) {
	slices.Reverse(b[:k])
	slices.Reverse(b[k:])
	slices.Reverse(b)
}
