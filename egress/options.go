package egress

import (
	"fmt"
	"net/netip"

	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// DefaultImage is the image that make egress-image makes.
const DefaultImage = "sandbox-egress:latest"

// Options are what a gateway is opened with.
type Options struct {
	// Host is the engine's address, such as "unix:///var/run/docker.sock" or
	// "ssh://user@host"; "" = the one that the environment and the docker command's context
	// select, as with [sandbox.Options].
	Host string
	// Context is the name of a docker context, as with [sandbox.Options]; "" = none. It
	// excludes Host.
	Context string
	// Allow is what may be reached, each with its port: a host such as "example.org:443", all
	// hosts below a domain such as "*.example.org:443", without the domain itself, or an
	// address such as "1.1.1.1:443". Names are in small letters, and international ones in
	// their form with xn--. It must not be empty.
	Allow []string
	// Private are ranges of addresses that are not public, and that hosts in Allow may have
	// all the same, such as those of a company's own module proxy; nil = none. Loopback
	// addresses would be the proxy's own.
	Private []netip.Prefix
	// Image is the image of the proxy; "" = [DefaultImage]. It is never pulled.
	Image string
}

// Denial is a target that a job asked for and that was refused. Those that were allowed and
// did not answer are not among them.
type Denial struct {
	Target string // its host and port, or "" of what has no target; the job's text, in printable ASCII
	Reason string // such as that it is not in the allow-list
	Count  int    // how often
}

func (o Options) policy() (policy.Policy, error) {
	p := policy.Policy{Allow: o.Allow, Private: o.Private}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("egress: %w", err)
	}
	return p, nil
}
