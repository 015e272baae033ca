package attacks

import (
	"net"
	"strings"

	"github.com/synchestra-io/sandbox"
)

var networkAttacks = []Attack{
	probeAttack("interfaces", "looks for interfaces and routes", "only the loopback"),
	{
		Name: "host", Tries: "connects to a listener on every address of the host", Expected: "no connection",
		attempt: func(e *attackEnv) []string {
			l := e.listenOnHost("tcp", ":0")
			defer l.Close()
			_, port, err := net.SplitHostPort(l.Addr().String())
			e.abortOn(err)
			command := []string{"connect", "tcp/127.0.0.1:" + port, "tcp/172.17.0.1:" + port}
			addresses, err := net.InterfaceAddrs()
			e.abortOn(err)
			for _, address := range addresses {
				if ip, _, err := net.ParseCIDR(address.String()); err == nil && !ip.IsLinkLocalUnicast() {
					command = append(command, "tcp/"+net.JoinHostPort(ip.String(), port))
				}
			}
			return e.got(e.job(command...))
		},
	},
	{
		Name: "abstract-socket", Tries: "connects to an abstract socket of the host", Expected: "no connection",
		attempt: func(e *attackEnv) []string {
			name := "@" + newToken()
			defer e.listenOnHost("unix", name).Close()
			return e.got(e.job("connect", "unix/"+name))
		},
	},
	{
		Name: "other-runs", Tries: "connects to the loopback and to an abstract socket of another run", Expected: "no connection",
		attempt: func(e *attackEnv) (got []string) {
			tcp, unix := "127.0.0.1:4711", "@"+newToken()
			e.duringOtherRun(e.job(), "keep-listener,tcp,"+tcp, "connect,tcp/"+tcp, func() {
				got = e.got(e.job("connect", "tcp/"+tcp))
			})
			e.duringOtherRun(e.job(), "keep-listener,unix,"+unix, "connect,unix/"+unix, func() {
				got = append(got, e.got(e.job("connect", "unix/"+unix))...)
			})
			return got
		},
	},
	probeAttack("metadata", "connects to the metadata service of clouds", "no route to it",
		"connect", "tcp/169.254.169.254:80", "tcp/[fd00:ec2::254]:80", "udp/169.254.169.254:53"),
	probeAttack("resolve", "resolves a name", "no address"),
	probeAttack("configure", "gives the loopback another address and takes it down", "it stays as it is"),
	probeAttack("bridge-packets", "on network bridge, opens the sockets that forge and sniff packets", "no socket", "raw-sockets").
		withLimits(func(l *sandbox.Limits) { l.Network = "bridge" }),
}

// listenOnHost listens on the host, and makes sure that a connection is possible from
// there.
func (e *attackEnv) listenOnHost(network, address string) net.Listener {
	l, err := net.Listen(network, address)
	e.abortOn(err)
	c, err := net.Dial(network, strings.Replace(l.Addr().String(), "[::]", "127.0.0.1", 1))
	if err != nil {
		l.Close()
		e.abort("%v", err)
	}
	c.Close()
	return l
}
