package stdio

import "sync"

// gate stands in front of a caller's reader or writer, which one goroutine uses. Once
// it is shut, no call begins. A call under way cannot be interrupted.
type gate struct {
	mu     sync.Mutex
	shut   bool
	inside bool
}

// enter tells whether a call may begin; leave must follow it then.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside = !g.shut
	return g.inside
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside = false
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

// occupied tells whether a call is under way. If the gate is shut and none is, there
// is none any more.
func (g *gate) occupied() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}
