package attacks

import (
	"net"
	"strings"

	"github.com/synchestra-io/sandbox"
)

var networkAttacks = []Attack{
	by("looks for interfaces and routes", "the loopback alone", "interfaces"),
	{
		Name: "host", Tries: "connects to a listener on every address of the host", Seen: "no connection",
		try: func(a *attackEnv) []string {
			l := listen(a, "tcp", ":0")
			_, port, err := net.SplitHostPort(l.Addr().String())
			if err != nil {
				a.t.Fatal(err)
			}
			args := []string{"connect", "tcp/127.0.0.1:" + port, "tcp/172.17.0.1:" + port}
			addresses, err := net.InterfaceAddrs()
			if err != nil {
				a.t.Fatal(err)
			}
			for _, address := range addresses {
				if ip, _, err := net.ParseCIDR(address.String()); err == nil && !ip.IsLinkLocalUnicast() {
					args = append(args, "tcp/"+net.JoinHostPort(ip.String(), port))
				}
			}
			return a.wins(a.job(args...))
		},
	},
	{
		Name: "abstract-socket", Tries: "connects to an abstract socket of the host", Seen: "no connection",
		try: func(a *attackEnv) []string {
			name := "@" + newToken()
			listen(a, "unix", name)
			return a.wins(a.job("connect", "unix/"+name))
		},
	},
	{
		Name: "other-runs", Tries: "connects to the loopback and to an abstract socket of another run", Seen: "no connection",
		try: func(a *attackEnv) (won []string) {
			name := "@" + newToken()
			tcp := "127.0.0.1:4711"
			a.beside(a.job(), "keep-listener,tcp,"+tcp, "connect,tcp/"+tcp, func() { won = a.wins(a.job("connect", "tcp/"+tcp)) })
			a.beside(a.job(), "keep-listener,unix,"+name, "connect,unix/"+name, func() { won = append(won, a.wins(a.job("connect", "unix/"+name))...) })
			return won
		},
	},
	{
		Name: "metadata", Tries: "connects to the metadata service of clouds", Seen: "no route to it",
		try: func(a *attackEnv) []string {
			return a.wins(a.job("connect", "tcp/169.254.169.254:80", "tcp/[fd00:ec2::254]:80", "udp/169.254.169.254:53"))
		},
	},
	by("resolves a name", "no address", "resolve"),
	by("gives the loopback an address and takes it down", "it stays as it is", "configure"),
	with(func(j *sandbox.Job) { j.Limits.Network = "bridge" },
		Attack{Name: "bridge-packets", Tries: "on network bridge, opens the sockets that forge and sniff packets", Seen: "no socket"}, "raw-sockets"),
}

// listen accepts on the host until the attack is over. What it wins by, a
// connection, is possible from here.
func listen(a *attackEnv, network, address string) net.Listener {
	a.t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { l.Close() })
	c, err := net.Dial(network, strings.Replace(l.Addr().String(), "[::]", "127.0.0.1", 1))
	if err != nil {
		a.t.Fatal(err)
	}
	c.Close()
	return l
}
