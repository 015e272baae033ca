package proxy

import (
	"context"
	"net"

	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// dialerBy returns a dialer that connects to no address that the policy refuses, whatever the
// resolver says.
func dialerBy(resolver *net.Resolver, p policy.Policy) dialer {
	checked := net.Dialer{Resolver: resolver, Control: p.Control}
	return func(ctx context.Context, network, target string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(target)
		if err == nil && !isAddress(host) {
			target = net.JoinHostPort(host+".", port) // no domain is tried behind it
		}
		return checked.DialContext(ctx, network, target)
	}
}
