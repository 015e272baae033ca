package stdio

import "fmt"

// headTailBuffer keeps the head and the tail of what is written to it, up to limit
// bytes, and counts the rest. Write never fails and never waits. The first half of the
// limit is the head. It is kept in pieces, since a buffer that grows would be copied
// again and again. What follows goes round in a ring, which has room for the head in
// front of it, so that a full buffer is not copied as a whole. At most twice what was
// kept is written to in memory, and for a full buffer one and a half times the limit.
type headTailBuffer struct {
	limit int64
	head  [][]byte // full, but for the last one
	room  int      // in the last one
	whole []byte   // nil, or the place of the head, then the ring
	total int64    // bytes written
}

func newHeadTailBuffer(limit int64) *headTailBuffer { return &headTailBuffer{limit: limit} }

// headLimit is how long the head can be.
func (c *headTailBuffer) headLimit() int64 { return c.limit / 2 }

// Pieces of the head grow with it, within these bounds.
const (
	minPiece = 4 << 10
	maxPiece = 1 << 20
)

// markerRoom is enough for the marker with any count.
const markerRoom = 64

func (c *headTailBuffer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && c.total < c.headLimit() {
		p = p[c.toHead(p):]
	}
	if len(p) > 0 && c.whole == nil {
		c.whole = make([]byte, c.limit, c.limit+markerRoom)
	}
	for len(p) > 0 {
		ring := c.whole[c.headLimit():]
		k := copy(ring[(c.total-c.headLimit())%int64(len(ring)):], p)
		c.total += int64(k)
		p = p[k:]
	}
	return n, nil
}

// toHead takes as much of p as the last piece, or a new one, has room for.
func (c *headTailBuffer) toHead(p []byte) int {
	if c.room == 0 {
		size := min(max(c.total, minPiece), maxPiece, c.headLimit()-c.total)
		c.head = append(c.head, make([]byte, size))
		c.room = int(size)
	}
	last := c.head[len(c.head)-1]
	k := copy(last[len(last)-c.room:], p)
	c.room -= k
	c.total += int64(k)
	return k
}

// result returns what was kept, with a marker in place of what was dropped, and
// the number of bytes dropped. Its capacity is at most a quarter more than its length.
// The buffer cannot be used after.
func (c *headTailBuffer) result() ([]byte, int64) {
	dropped := max(c.total-c.limit, 0)
	marker := []byte{}
	if dropped > 0 {
		marker = fmt.Appendf(marker, "\n[sandbox: %d bytes dropped]\n", dropped)
	}
	head := min(c.total, c.headLimit())
	kept := c.whole
	size := min(c.total, c.limit) + int64(len(marker))
	if int64(cap(kept)) > size+size/4 || kept == nil {
		kept = make([]byte, size)
		if c.whole != nil {
			copy(kept[head:], c.whole[head:])
		}
	}
	kept = kept[:size]
	c.copyHead(kept)
	if dropped > 0 {
		c.order(kept[head:], marker)
	}
	return kept, dropped
}

// order puts the marker in front of the ring, and the ring's oldest byte behind it. The
// head's pieces, which have been copied, hold the smaller part of the ring meanwhile.
func (c *headTailBuffer) order(b, marker []byte) {
	ring, ordered := b[:len(b)-len(marker)], b[len(marker):]
	at := (c.total - c.headLimit()) % int64(len(ring))
	newer, older := ring[:at], ring[at:]
	if len(newer) < len(older) {
		c.reuseHead(newer)
		copy(ordered, older)
		c.copyHead(ordered[len(older):])
	} else {
		c.reuseHead(older)
		copy(ordered[len(older):], newer)
		c.copyHead(ordered[:len(older)])
	}
	copy(b, marker)
}

// copyHead copies the head to b, as far as that goes.
func (c *headTailBuffer) copyHead(b []byte) {
	for _, piece := range c.head {
		b = b[copy(b, piece):]
	}
}

// reuseHead copies b, which is not longer than the head, over the head.
func (c *headTailBuffer) reuseHead(b []byte) {
	for _, piece := range c.head {
		b = b[copy(piece, b):]
	}
}
