package proxy

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// dialerTo returns a dialer that connects to no address that the policy refuses. It asks these
// servers for names, each in its turn; nil = those of resolv.conf(5).
func dialerTo(servers []string, p policy.Policy) dialer {
	resolver := &net.Resolver{PreferGo: true}
	if servers != nil {
		var turn atomic.Uint32
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, servers[int(turn.Add(1)-1)%len(servers)])
		}
	}
	checked := net.Dialer{Resolver: resolver, Control: p.Control}
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(target)
		if err == nil && !isAddress(host) {
			target = net.JoinHostPort(host+".", port) // no domain is tried behind it
		}
		return checked.DialContext(ctx, network, target)
	}
}
