package owner

import "sync"

// active has the IDs of this process's runs. Whatever else carries the mark of this
// process was left by a clean-up that failed.
var active = struct {
	sync.Mutex
	runs    map[string]bool
	watches map[*Watch]bool
}{runs: map[string]bool{}, watches: map[*Watch]bool{}}

// Begin makes a run known as active until End.
func Begin(id string) {
	active.Lock()
	defer active.Unlock()
	active.runs[id] = true
}

// End ends the run: a Sweep that begins after it may remove what it has left.
func End(id string) {
	active.Lock()
	defer active.Unlock()
	delete(active.runs, id)
	for w := range active.watches {
		w.ended[id] = true
	}
}

func isActive(id string) bool {
	active.Lock()
	defer active.Unlock()
	return active.runs[id]
}

// Watch notes which runs of this process end while it is open. What was listed in that
// time may have been removed by its own run since.
type Watch struct{ ended map[string]bool }

// NewWatch opens a watch, which must be closed.
func NewWatch() *Watch {
	active.Lock()
	defer active.Unlock()
	w := &Watch{map[string]bool{}}
	active.watches[w] = true
	return w
}

// Close ends the watch.
func (w *Watch) Close() {
	active.Lock()
	defer active.Unlock()
	delete(active.watches, w)
}

// Ended tells whether the run has ended since the watch was opened.
func (w *Watch) Ended(id string) bool {
	active.Lock()
	defer active.Unlock()
	return w.ended[id]
}
