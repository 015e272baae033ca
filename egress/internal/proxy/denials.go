package proxy

import (
	"strconv"
	"strings"
	"sync"

	"github.com/synchestra-io/sandbox/egress/internal/orders"
)

// maxDenials is how many targets are kept; a client can ask for any number.
const maxDenials = 100

// maxText bounds the texts of one, which are the client's.
const maxText = 300

type denials struct {
	mu   sync.Mutex
	list []orders.Denial
	more int // denials of targets that were not kept
}

func (d *denials) add(target, reason string) {
	target, reason = clip(target), clip(reason)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.list {
		if d.list[i].Target == target && d.list[i].Reason == reason {
			d.list[i].Count++
			return
		}
	}
	if len(d.list) == maxDenials {
		d.more++
		return
	}
	d.list = append(d.list, orders.Denial{Target: target, Reason: reason, Count: 1})
}

// all returns what was denied, and how many more denials there were.
func (d *denials) all() ([]orders.Denial, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]orders.Denial(nil), d.list...), d.more
}

// clip bounds a text, and quotes it if it could be more than one when it is shown.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
