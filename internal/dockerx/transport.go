package dockerx

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
)

// transport is the SDK's, before it is wrapped for tracing.
func transport(c *client.Client) (*http.Transport, error) {
	tr, ok := c.HTTPClient().Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("engine client has %T instead of an HTTP transport", c.HTTPClient().Transport)
	}
	return tr, nil
}

// rejectHTML refuses what a web server or a proxy says in the engine's place: the
// SDK goes by the status alone, so a page with 200 would pass for a start or a
// removal, and one with 404 for an object that is gone.
type rejectHTML struct{ next http.RoundTripper }

func (n rejectHTML) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := n.next.RoundTrip(r)
	if err == nil && strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		answer.Body.Close()
		return nil, fmt.Errorf("%s %s was answered with a web page (%s); is this a Docker Engine?", r.Method, r.URL.Path, answer.Status)
	}
	return answer, err
}

// maxAhead keeps differences of Dates, whatever an engine says, from overflowing.
const maxAhead = 100 * 365 * 24 * time.Hour

// watchHeaders notes what the SDK does not tell of an answer: how far its Date is ahead
// of this machine's clock, and whether it is Podman's. A proxy's answer has no header.
type watchHeaders struct {
	next   http.RoundTripper
	ahead  *atomic.Int64
	podman *atomic.Bool
}

func (w watchHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err == nil {
		if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			ahead := date.Sub(time.Now().Round(0)) // which saturates
			w.ahead.Store(int64(min(max(ahead, -maxAhead), maxAhead)))
		}
		if answer.Header.Get("Libpod-Api-Version") != "" {
			w.podman.Store(true)
		}
	}
	return answer, err
}
