package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/synchestra-io/sandbox/egress/internal/orders"
	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// names is a name server on loopback, which counts what it is asked for.
type names struct {
	address string
	asked   atomic.Int64
	answer  func(name string) netip.Addr // the zero value = there is no such name
}

func newNames(t *testing.T, answer func(string) netip.Addr) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	n := &names{address: conn.LocalAddr().String(), answer: answer}
	done := make(chan struct{})
	go func() {
		defer close(done)
		packet := make([]byte, 512)
		for {
			size, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(packet[:size]) != nil {
				continue
			}
			q := m.Questions[0]
			n.asked.Add(1)
			m.Response, m.Additionals = true, nil
			ip := n.answer(strings.TrimSuffix(q.Name.String(), "."))
			switch {
			case !ip.IsValid():
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
				m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}}}
			}
			answer, _ := m.Pack()
			conn.WriteTo(answer, from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return n
}

// resolver asks n alone.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, n.address)
	}}
}

var loopback = netip.MustParseAddr("127.0.0.1")

// all gives every name the address of loopback.
func all(string) netip.Addr { return loopback }

// serve returns the address of an access, and the access.
func serve(t *testing.T, p policy.Policy, n *names) (string, *access) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	a := newAccess(p, dialerBy(n.resolver(), p), l)
	t.Cleanup(a.close)
	return l.Addr().String(), a
}

// reachable is a policy by which servers on loopback can be reached.
func reachable(allow ...string) policy.Policy {
	return policy.Policy{Allow: allow, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// send connects to a proxy and sends a text. The connection ends with the test.
func send(t *testing.T, at, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

// ask sends a text to a proxy and returns what it answers.
func ask(t *testing.T, at, text string) string {
	t.Helper()
	conn := send(t, at, text)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	got, err := httputil.DumpResponse(answer, true)
	require.NoError(t, err)
	return string(got)
}

// tell sends a text, and nothing more, and returns what comes until the end.
func tell(t *testing.T, at, text string) string {
	t.Helper()
	conn := send(t, at, text)
	conn.(*net.TCPConn).CloseWrite()
	got, _ := io.ReadAll(conn)
	return string(got)
}

// echo is a server over HTTP that tells what it was asked.
func echo(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s host=%s body=%s headers=%v", r.Method, r.URL, r.Host, body, r.Header)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestPlainHTTP(t *testing.T) {
	server := echo(t)
	target := "good.test:" + port(server.Listener.Addr().String())
	at, a := serve(t, reachable(target, "*.below.test:"+port(target)), newNames(t, all))
	for _, host := range []string{target, strings.ToUpper(target), "a.below.test:" + port(target)} {
		got := ask(t, at, "GET http://"+host+"/x?y HTTP/1.1\r\nHost: evil.test\r\nProxy-Authorization: secret\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\r\n")
		require.Contains(t, got, "200 OK", host)
		require.Contains(t, got, "GET /x?y host="+host+" ", "the header Host does not count")
		require.NotContains(t, got, "evil.test")
		require.NotContains(t, got, "secret")
		require.NotContains(t, got, "X-Hop")
	}
	got := ask(t, at, "POST http://"+target+"/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
	require.Contains(t, got, "body=body")
	list, more := a.denials.all()
	require.Empty(t, list)
	require.Zero(t, more)
}

// Whatever is asked for and not allowed is refused before a name server hears of it.
func TestNotInTheList(t *testing.T) {
	n := newNames(t, all)
	at, a := serve(t, reachable("good.test:443"), n)
	for request, target := range map[string]string{
		"GET http://evil.test/ HTTP/1.1\r\nHost: good.test:443\r\n\r\n":              "evil.test:80",
		"GET http://good.test/ HTTP/1.1\r\nHost: good.test:443\r\n\r\n":              "good.test:80",
		"CONNECT evil.test:443 HTTP/1.1\r\nHost: good.test:443\r\n\r\n":              "evil.test:443",
		"CONNECT good.test:22 HTTP/1.1\r\nHost: good.test:443\r\n\r\n":               "good.test:22",
		"CONNECT good.test.evil.test:443 HTTP/1.1\r\nHost: good.test:443\r\n\r\n":    "good.test.evil.test:443",
		"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: good.test:443\r\n\r\n":              "127.0.0.1:443",
		"CONNECT [::ffff:127.0.0.1]:443 HTTP/1.1\r\nHost: x\r\n\r\n":                 "127.0.0.1:443",
		"CONNECT 2130706433:443 HTTP/1.1\r\nHost: x\r\n\r\n":                         "2130706433:443",
		"CONNECT localhost:3128 HTTP/1.1\r\nHost: x\r\n\r\n":                         "localhost:3128",
		"CONNECT data-to-leak.evil.test:443 HTTP/1.1\r\nHost: good.test:443\r\n\r\n": "data-to-leak.evil.test:443",
		"GET http://good.test:443@evil.test/ HTTP/1.1\r\nHost: x\r\n\r\n":            "evil.test:80",
		"GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: x\r\n\r\n":             "169.254.169.254:80",
	} {
		require.Contains(t, ask(t, at, request), "HTTP/1.1 403 ", request)
		list, _ := a.denials.all()
		require.Contains(t, list[len(list)-1].Target+fmt.Sprint(list), target, request)
	}
	require.Zero(t, n.asked.Load())
	// In no form that a proxy takes.
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: good.test:443\r\n\r\n",
		"GET https://good.test:443/ HTTP/1.1\r\nHost: good.test:443\r\n\r\n",
		"GET ftp://good.test:443/ HTTP/1.1\r\nHost: good.test:443\r\n\r\n",
		"CONNECT good.test HTTP/1.1\r\nHost: good.test:443\r\n\r\n",
		"CONNECT / HTTP/1.1\r\nHost: good.test:443\r\n\r\n",
		"GET http:///x HTTP/1.1\r\nHost: good.test:443\r\n\r\n",
		"GET http://good.test:443/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x00\x01\x00",
	} {
		require.NotContains(t, tell(t, at, request), " 200 ", "%q", request)
		require.Zero(t, n.asked.Load(), "%q", request)
	}
}

// An allowed name counts for nothing if its address is not public, at the moment of the
// connection.
func TestAddressesAtTheDial(t *testing.T) {
	var turn atomic.Int64
	n := newNames(t, func(name string) netip.Addr {
		if name == "rebinding.test" && turn.Add(1) == 1 {
			return netip.MustParseAddr("203.0.113.1")
		}
		return loopback
	})
	p := policy.Policy{Allow: []string{"private.test:80", "private.test:443", "rebinding.test:443", "127.0.0.1:443", "[64:ff9b::7f00:1]:443"}}
	at, a := serve(t, p, n)
	for _, request := range []string{
		"GET http://private.test/ HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT private.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT rebinding.test:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT rebinding.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT [64:ff9b::7f00:1]:443 HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		got := ask(t, at, request)
		require.Contains(t, got, "HTTP/1.1 403 ", request)
		require.Contains(t, got, "not public", request)
	}
	list, _ := a.denials.all()
	require.NotEmpty(t, list)
}

// tunnel opens a tunnel and returns it.
func tunnel(t *testing.T, at, target string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	answer, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(conn, 39), 16), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return conn
}

func TestTunnel(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "over TLS") }))
	defer server.Close()
	target := "good.test:" + port(server.Listener.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	for _, name := range []string{"good.test", "GOOD.test"} {
		secure := tls.Client(tunnel(t, at, target), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		fmt.Fprint(secure, "GET / HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(secure)
		require.Contains(t, string(got), "over TLS")
	}
}

// clientHello is the first message of a TLS client.
func clientHello(t *testing.T, name string) []byte {
	t.Helper()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(client, &tls.Config{ServerName: name}).Handshake()
	}()
	hello := make([]byte, 64<<10)
	n, err := server.Read(hello)
	require.NoError(t, err)
	server.Close()
	<-done
	return hello[:n]
}

// A client that sends no more still gets the answer.
func TestHalfClosedTunnel(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	hello := clientHello(t, "good.test")
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		got, _ := io.ReadAll(conn) // to its end
		for range 100 {
			conn.Write(got)
		}
	}()
	target := "good.test:" + port(l.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	conn := tunnel(t, at, target)
	conn.Write(append(hello, "more"...))
	conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Len(t, got, 100*(len(hello)+4))
}

// Not a byte of a tunnel that begins otherwise reaches the server.
func TestTunnelsThatAreNotForTheServer(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	reached := make(chan int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n, _ := io.Copy(io.Discard, conn)
			conn.Close()
			reached <- n
		}
	}()
	target := "good.test:" + port(l.Addr().String())
	at, a := serve(t, reachable(target), newNames(t, all))
	for _, first := range []string{
		"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01\xff\xff" + strings.Repeat("x", 70_000), "\x16",
		"\x15\x03\x01\x00\x02\x01\x5a" + string(clientHello(t, "good.test")), // behind a warning
	} {
		conn := tunnel(t, at, target)
		io.WriteString(conn, first)
		conn.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(conn)
		require.Empty(t, got, "%q", first[:1])
		require.Zero(t, <-reached)
	}
	for _, name := range []string{"evil.test", "a.good.test", "good.test.evil.test", "[good.test", ""} {
		require.Error(t, tls.Client(tunnel(t, at, target), &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake(), name)
		require.Zero(t, <-reached)
	}
	list, _ := a.denials.all()
	text := fmt.Sprint(list)
	require.Contains(t, text, "not TLS")
	require.Contains(t, text, `"evil.test"`)
	require.Contains(t, text, "ended early")
}

// More connections than there may be are closed, and the others go on.
func TestConnectionsAreBounded(t *testing.T) {
	server := echo(t)
	target := "good.test:" + port(server.Listener.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	var held []net.Conn
	for range maxConnections {
		conn, err := net.Dial("tcp", at)
		require.NoError(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", target)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		io.Copy(io.Discard, answer.Body)
		held = append(held, conn)
	}
	conn, err := net.Dial("tcp", at)
	require.NoError(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	held[0].Close()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", at)
		require.NoError(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", target)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil && answer.StatusCode == http.StatusOK
	}, 20*time.Second, 10*time.Millisecond, "a place is free again")
}

func TestCloseEndsTunnels(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	target := "good.test:" + port(l.Addr().String())
	at, a := serve(t, reachable(target), newNames(t, all))
	conn := tunnel(t, at, target)
	a.close()
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestDenialsAreBounded(t *testing.T) {
	var d denials
	for i := range 2 * maxDenials {
		for range 2 {
			d.add(fmt.Sprintf("%d.%s:443", i, strings.Repeat("x", 1000)), "no")
		}
	}
	list, more := d.all()
	require.Len(t, list, maxDenials)
	require.Equal(t, 2*maxDenials, more)
	require.Equal(t, 2, list[0].Count)
	require.Less(t, len(list[0].Target), 400)
}

// What would go on with another protocol is refused, and nothing waits for it.
func TestUpgrades(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	asked := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err == nil {
			asked <- r.Header.Get("Upgrade")
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			io.Copy(io.Discard, conn)
		}
	}()
	target := "good.test:" + port(l.Addr().String())
	at, a := serve(t, reachable(target), newNames(t, all))
	got := ask(t, at, "GET http://"+target+"/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	require.Contains(t, got, "502 Bad Gateway")
	require.Empty(t, <-asked)
	a.close()
}

// The query is the server's to read, whatever its form.
func TestQueriesAsTheyAre(t *testing.T) {
	server := echo(t)
	target := "good.test:" + port(server.Listener.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	for _, query := range []string{"p=x.git;a=snapshot;h=1", "b=1&a=2&a=1", "x=%zz", "a;b&c"} {
		require.Contains(t, ask(t, at, "GET http://"+target+"/?"+query+" HTTP/1.1\r\nHost: x\r\n\r\n"), "GET /?"+query+" host=")
	}
}

// What comes before a server's final answer is not passed on.
func TestInformationalAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 4 {
			w.WriteHeader(http.StatusEarlyHints)
		}
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
	}))
	defer server.Close()
	target := "good.test:" + port(server.Listener.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	for range 20 {
		got := ask(t, at, "POST http://"+target+"/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
		require.Contains(t, got, "201 Created")
		require.Contains(t, got, "\r\n\r\nbody")
	}
}

// Neither an access that ends nor a client that says nothing is a denial.
func TestWhatIsNoDenial(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	target := "good.test:" + port(l.Addr().String())
	at, a := serve(t, reachable(target), newNames(t, all))
	said := tunnel(t, at, target)
	said.Close()
	waiting := tunnel(t, at, target)
	io.WriteString(waiting, "\x16")
	a.close()
	list, more := a.denials.all()
	require.Empty(t, list)
	require.Zero(t, more)
}

// Idle connections to servers give way to those that are wanted.
func TestIdleConnectionsGiveWay(t *testing.T) {
	server := echo(t)
	p := port(server.Listener.Addr().String())
	at, a := serve(t, reachable("*.good.test:"+p), newNames(t, all))
	for i := range maxIdle {
		require.Contains(t, ask(t, at, fmt.Sprintf("GET http://%d.good.test:%s/ HTTP/1.1\r\nHost: x\r\n\r\n", i, p)), "200 OK")
	}
	require.Len(t, a.servers, maxIdle)
	for range maxConnections - maxIdle {
		a.servers <- struct{}{}
	}
	require.Contains(t, ask(t, at, "GET http://other.good.test:"+p+"/ HTTP/1.1\r\nHost: x\r\n\r\n"), "200 OK")
	for range maxConnections - maxIdle {
		<-a.servers
	}
}

// A dial waits for a slot, and not for ever.
func TestServersAreBounded(t *testing.T) {
	at, a := serve(t, reachable("good.test:80"), newNames(t, all))
	for range maxConnections {
		a.servers <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := a.dial(ctx, "tcp", at)
	require.ErrorContains(t, err, "too many connections to servers")
	<-a.servers
	conn, err := a.dial(t.Context(), "tcp", at)
	require.NoError(t, err)
	require.Len(t, a.servers, maxConnections)
	conn.Close()
	require.Len(t, a.servers, maxConnections-1)
}

// Clients come and go, and a dial ends with its client.
func TestDialsEndWithTheirClients(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	var inside, most atomic.Int64
	entered, left := make(chan struct{}, 10*maxConnections), make(chan struct{}, 10*maxConnections)
	silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
		most.Store(max(most.Load(), inside.Add(1)))
		entered <- struct{}{}
		<-ctx.Done()
		inside.Add(-1)
		left <- struct{}{}
		return nil, ctx.Err()
	}
	a := newAccess(reachable("*.good.test:80", "*.good.test:443"), silent, l)
	t.Cleanup(a.close)
	for round := range 3 {
		var clients []net.Conn
		for i := range maxConnections {
			method, end := "GET http://", "/"
			if i%2 == 0 {
				method, end = "CONNECT ", ":443"
			}
			clients = append(clients, send(t, l.Addr().String(), fmt.Sprintf("%s%d-%d.good.test%s HTTP/1.1\r\nHost: x\r\n\r\n", method, round, i, end)))
		}
		for range maxConnections {
			<-entered
		}
		for _, c := range clients {
			c.Close()
		}
		late := time.After(dialTime / 2) // with which they would end in any case
		for range maxConnections {
			select {
			case <-left:
			case <-late:
				require.FailNow(t, "a dial went on")
			}
		}
		require.Eventually(t, func() bool { // their places are free again
			a.listener.mu.Lock()
			defer a.listener.mu.Unlock()
			return len(a.listener.open) == 0
		}, 20*time.Second, time.Millisecond)
	}
	require.EqualValues(t, maxConnections, most.Load())
	a.close()
	require.Empty(t, a.servers, "all slots are free")
}

// The proxy takes its orders, and a namespace comes.
func TestOrders(t *testing.T) {
	dir := t.TempDir()
	run := strings.Repeat("0", nameLength)
	p := &Proxy{dir: dir, handoffs: newHandoffs()}
	var understood policy.Policy
	require.NoError(t, p.Begin(reachable("a.test:1"), &understood))
	require.Equal(t, reachable("a.test:1"), understood)
	require.Error(t, p.Begin(policy.Policy{}, &understood))
	joined := make(chan error, 1)
	go func() { joined <- Join(dir, run) }()
	require.NoError(t, p.Open(run, nil))
	require.Contains(t, ask(t, orders.Address, "GET http://evil.test/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "403")
	var got orders.Denials
	require.NoError(t, p.Denied(run, &got))
	require.Len(t, got.List, 1)
	require.NoError(t, p.Close(run, &got))
	require.NoError(t, <-joined, "it ends with the access")
	require.Error(t, p.Close(run, &got))
	require.Error(t, p.Denied(run, &got))
	opened := make(chan error, 1)
	go func() { opened <- p.Open(run, nil) }()
	require.Eventually(t, func() bool { return p.Close(run, &got) != nil && len(opened) == 1 }, 20*time.Second, time.Millisecond)
	require.ErrorIs(t, <-opened, errGivenUp)
	_, err := net.DialTimeout("tcp", orders.Address, time.Second)
	require.ErrorContains(t, err, "refused")
}

// A server that never comes to its answer is given up.
func TestInformationalAnswersWithoutEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.WriteHeader(http.StatusEarlyHints)
		}
	}))
	defer server.Close()
	target := "good.test:" + port(server.Listener.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	require.Contains(t, ask(t, at, "GET http://"+target+"/ HTTP/1.1\r\nHost: x\r\n\r\n"), "502 Bad Gateway")
}

// A header has a bound on its fields, both ways.
func TestHeaders(t *testing.T) {
	many := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range many {
			w.Header().Add("A", "b")
		}
	}))
	defer server.Close()
	target := "good.test:" + port(server.Listener.Addr().String())
	at, _ := serve(t, reachable(target), newNames(t, all))
	get := func(fields int) string {
		return ask(t, at, "GET http://"+target+"/ HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("A: b\r\n", fields)+"\r\n")
	}
	require.Contains(t, get(maxFields), "200 OK")
	require.Contains(t, get(maxFields+1), "431 Request Header Fields Too Large")
	require.Contains(t, ask(t, at, "CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("A: b\r\n", maxFields+1)+"\r\n"), "431 ")
	many = maxFields + 1
	require.Contains(t, get(0), "502 Bad Gateway")
}

// A denial does not wait for a body.
func TestDenialOfABodyThatDoesNotCome(t *testing.T) {
	at, _ := serve(t, reachable("good.test:80"), newNames(t, all))
	require.Contains(t, ask(t, at, "POST http://evil.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"), "403 Forbidden")
}

// What is shown of a denial is one line, and reads as it is.
func TestDenialsAreText(t *testing.T) {
	at, a := serve(t, reachable("good.test:80"), newNames(t, all))
	ask(t, at, "CONNECT ev\u0085il\u009b31m.t\u202eest:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	ask(t, at, "CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	list, _ := a.denials.all()
	require.Equal(t, `"ev\u0085il\u009b31m.t\u202eest:443"`, list[0].Target)
	require.Equal(t, "evil.test:443", list[1].Target)
}

// An access that has had its share carries nothing more, and says why.
func TestBytesAreBounded(t *testing.T) {
	server := echo(t)
	target := "good.test:" + port(server.Listener.Addr().String())
	at, a := serve(t, reachable(target), newNames(t, all))
	request := "GET http://" + target + "/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	require.Contains(t, ask(t, at, request), "200 OK")
	both := a.bytes.Load()
	require.Greater(t, both, int64(4*len(request)), "both ends count, both ways")
	a.bytes.Store(maxBytes - both/2)
	require.NotContains(t, tell(t, at, request), "200 OK")
	list, _ := a.denials.all()
	require.Equal(t, []orders.Denial{{Reason: "the limit of 64 GiB is reached", Count: 1}}, list)
}
