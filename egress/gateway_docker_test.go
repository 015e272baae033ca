//go:build docker

package egress

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// A job reaches what is allowed, by the function RunOnce and by a Runner, in Setup and in Cmd;
// and what was denied is told.
func TestAllowed(t *testing.T) {
	good, evil := server(t), server(t)
	g, _ := open(t, context.Background(), good)
	a := join(t, g)
	fetch := fmt.Sprintf("exec 2>&1; wget -q -O - http://%s/; wget -q -O - http://%s/ || echo refused", good, evil)
	want := "hello from " + good + "\nwget: server returned error: HTTP/1.1 403 Forbidden\nrefused\n"
	require.Equal(t, want, output(t, shell(a, fetch)))

	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer r.Close()
	j := shell(a, "wget -q -O - http://"+good+"/ || echo sealed")
	j.Limits.Network = "none"
	j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", fetch}, Network: a.Network()}
	res, err := r.RunOnce(context.Background(), j)
	require.NoError(t, err)
	require.Equal(t, want, string(res.SetupLogs))
	require.Contains(t, string(res.Logs), "sealed\n")

	list, more, err := a.Denied(context.Background())
	require.NoError(t, err)
	require.Zero(t, more)
	require.Equal(t, []Denial{{evil, "it is not in the allow-list", 2}}, list)
	require.NoError(t, a.Close())
	list, _, err = a.Denied(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 1, "it is told after Close, too")
}

// There is nothing but a loopback interface.
func TestNothingElse(t *testing.T) {
	good := server(t)
	host, _, err := net.SplitHostPort(good)
	require.NoError(t, err)
	g, _ := open(t, context.Background(), good)
	a, other := join(t, g), join(t, g)
	hold := shell(other, "echo ready; nc -l -p 4711 -s 127.0.0.1")
	said, ready := firstLine()
	hold.Stdout = said
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); sandbox.RunOnce(ctx, hold) }()
	defer func() { cancel(); <-ended }()
	<-ready
	got := output(t, shell(a, "grep -v face /proc/net/dev | cut -d: -f1; cat /proc/net/route /proc/net/if_inet6 /etc/resolv.conf; "+
		"/probe connect tcp/"+good+" tcp/"+host+":22 udp/"+host+":53 tcp/169.254.169.254:80 tcp/1.1.1.1:443 udp/1.1.1.1:443 tcp/127.0.0.1:4711 tcp/127.0.0.1:3128; "+
		"nslookup example.org; ping -c 1 -W 1 "+host))
	require.Regexp(t, `(?m)^ +lo$`, got)
	require.NotContains(t, got, "eth0")
	require.Contains(t, got, "got: a connection to tcp/127.0.0.1:3128\n", "of the proxy")
	require.Equal(t, 1, strings.Count(got, "got: "), got)
	require.NotContains(t, got, "1 packets received")
	require.NotRegexp(t, `(?m)^Address.*[1-9].*\n*Name`, got)
}

// What names another host, in any spelling, is refused.
func TestSpellings(t *testing.T) {
	good := server(t)
	g, id := open(t, context.Background(), good)
	a := join(t, g)
	_, port, err := net.SplitHostPort(good)
	require.NoError(t, err)
	var script strings.Builder
	targets := []string{
		"127.0.0.1:3128", "localhost:3128", "169.254.169.254:80", "[::ffff:169.254.169.254]:80", "2852039166:80", "0xa9fea9fe:80",
		"169.254.43518:80", "metadata.google.internal:80", "100.100.100.200:80", "168.63.129.16:80", "[fd00:ec2::254]:80",
		"host.docker.internal:80", owner.EgressName(id) + ":3128", "good.test:" + port, "0.0.0.0:" + port,
	}
	for _, target := range targets {
		fmt.Fprintf(&script, "printf 'CONNECT %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' | nc -w 5 127.0.0.1 3128 | head -n 1\n", target, good)
	}
	got := output(t, shell(a, script.String()))
	require.Equal(t, strings.Repeat("HTTP/1.1 403 Forbidden\r\n", len(targets)), got)
}

// The proxy has a bridge, and nothing listens there. Neighbours reach nothing.
func TestNeighbours(t *testing.T) {
	good := server(t)
	g, id := open(t, context.Background(), good)
	join(t, g)
	c, err := enginetest.API.ContainerInspect(context.Background(), owner.EgressName(id))
	require.NoError(t, err)
	at := c.NetworkSettings.Networks["bridge"].IPAddress
	got := output(t, sandbox.Job{
		Image: enginetest.BusyboxWithProbe(), Cmd: []string{"/probe", "connect", "tcp/" + at + ":3128"}, Limits: sandbox.Limits{Network: "bridge"},
	})
	require.Contains(t, got, "denied: ")
	require.NotContains(t, got, "got: ")
	conn, err := net.Dial("tcp", at+":3128")
	if err == nil {
		conn.Close()
	}
	require.Error(t, err, "from the host")
	require.Equal(t, "65532:65532", c.Config.User)
	require.True(t, c.HostConfig.ReadonlyRootfs)
	require.EqualValues(t, []string{"ALL"}, c.HostConfig.CapDrop)
}

func TestWithoutTheImage(t *testing.T) {
	_, err := Open(context.Background(), Options{Allow: []string{"a.test:443"}, Image: "sandbox-no-such-image"})
	require.ErrorContains(t, err, "make egress-image")
	_, err = Open(context.Background(), Options{Allow: []string{"a.test:443"}, Image: enginetest.Busybox()})
	require.ErrorContains(t, err, "the proxy")
	_, err = Open(context.Background(), Options{Allow: []string{"A.test:443"}})
	require.ErrorContains(t, err, `Allow[0] "A.test:443" is not in its usual form; write "a.test:443"`)
}

func TestAfterClose(t *testing.T) {
	g, _ := open(t, context.Background(), "a.test:443")
	a := join(t, g)
	require.NoError(t, g.Close())
	require.NoError(t, g.Close())
	require.NoError(t, a.Close())
	_, err := g.Join(context.Background())
	require.ErrorIs(t, err, ErrClosed)
	_, err = sandbox.RunOnce(context.Background(), shell(a, "true"))
	require.ErrorContains(t, err, "join the gateway again")
}
