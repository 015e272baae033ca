// Package policy decides what may be reached: by its name and port, and again by its address
// at the moment of the connection.
package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Policy is what may be reached. The zero value is nothing.
type Policy struct {
	// Allow has a host and a port in each entry, such as "example.org:443",
	// "*.example.org:443" for all names below one, or "1.1.1.1:443".
	Allow []string
	// Private are the ranges of addresses that are not public and may be reached all the
	// same.
	Private []netip.Prefix

	own []netip.Prefix // refused unless private
}

// Without is the policy of a proxy with addresses in these ranges. They are refused, unless they are
// among Private.
func (p Policy) Without(own []netip.Prefix) Policy {
	p.own = own
	return p
}

// Check refuses entries that would never allow anything, or more than they seem to.
func (p Policy) Check() error {
	var errs []error
	if len(p.Allow) == 0 {
		errs = append(errs, fmt.Errorf(`%s is empty; add what may be reached, such as "proxy.golang.org:443"`, "Allow"))
	}
	for i, entry := range p.Allow {
		if err := p.check(entry); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d] %q %w", "Allow", i, entry, err))
		}
	}
	for i, prefix := range p.Private {
		if !prefix.IsValid() || prefix.Addr().Is4In6() {
			errs = append(errs, fmt.Errorf("%s[%d] %v is no range of IPv4 or IPv6 addresses", "Private", i, prefix))
		}
	}
	return errors.Join(errs...)
}

func (p Policy) check(entry string) error {
	host, port, err := Split(entry)
	if err != nil {
		return err
	}
	if Join(host, port) != entry {
		return fmt.Errorf("is not in its usual form; write %q", Join(host, port))
	}
	name := strings.TrimPrefix(host, "*.")
	switch ip, err := netip.ParseAddr(host); {
	case err == nil && ip.Zone() != "":
		return errors.New("has a zone, which is a network of the proxy's own")
	case err == nil:
		if err := p.Dials(ip); err != nil {
			return fmt.Errorf("would never be reached: %w; add its range to Private", err)
		}
		return nil
	case strings.Contains(name, "*"):
		return errors.New(`has a "*" that is not in front; use "*.example.org:443" for all names below one`)
	case !isName(name):
		return errors.New("is no host name or address; names that are not ASCII are written with xn--")
	case name != host && !strings.Contains(name, "."):
		return errors.New("would allow a whole top-level domain; name a domain below it")
	}
	return nil
}

// Split takes a host and its port apart, and writes the host as it is compared: in small
// letters, and without a dot at its end or brackets.
func Split(hostport string) (host string, port uint16, err error) {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 {
		return "", 0, errors.New("has no port; add one, such as :443")
	}
	n, err := strconv.ParseUint(hostport[i+1:], 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("has the port %q; want 1 to 65535", hostport[i+1:])
	}
	return Host(hostport[:i]), uint16(n), nil
}

// Host is a host's name or address as it is compared.
func Host(host string) string {
	if inside, found := strings.CutPrefix(host, "["); found {
		host = strings.TrimSuffix(inside, "]")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Join is the reverse of Split.
func Join(host string, port uint16) string {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// isName tells whether a text is a host's name. An address in an unusual spelling, such as
// 0x7f.1 or 2130706433, is none: its last part has no letter.
func isName(name string) bool {
	parts := strings.Split(name, ".")
	for _, part := range parts {
		if part == "" || len(part) > 63 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := parts[len(parts)-1]
	return len(name) <= 253 && strings.ContainsAny(last[:1], "abcdefghijklmnopqrstuvwxyz") && !strings.HasPrefix(last, "0x")
}

// Allows tells whether a host, as Split returns it, may be reached at a port.
func (p Policy) Allows(host string, port uint16) bool {
	if _, err := netip.ParseAddr(host); err != nil && !isName(host) {
		return false
	}
	if slices.Contains(p.Allow, Join(host, port)) {
		return true
	}
	for _, entry := range p.Allow {
		below, found := strings.CutPrefix(entry, "*")
		if found && strings.HasSuffix(Join(host, port), below) && len(host) > len(below)-len(":")-len(strconv.Itoa(int(port))) {
			return true
		}
	}
	return false
}

// Control is that of a net.Dialer. It sees the address that is about to be connected to,
// whatever a name server said before.
func (p Policy) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return p.Dials(at.Addr())
}

// ErrAddress is wrapped by the error for an address that must not be reached.
var ErrAddress = errors.New("the address is not public")

// Dials refuses addresses that are neither public nor among those that were named.
func (p Policy) Dials(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	in := func(r netip.Prefix) bool { return r.Contains(ip) }
	if slices.ContainsFunc(p.Private, in) || public(ip) && !slices.ContainsFunc(p.own, in) {
		return nil
	}
	return fmt.Errorf("%w: %v", ErrAddress, ip)
}

// special are the ranges that IANA's registries of special-purpose addresses do not call
// globally reachable, and some more: multicast, relays that have an IPv4 address inside an
// IPv6 one, and 168.63.129.16, at which Azure serves its machines.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/3",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// unicast is the one range of IPv6 from which public addresses are given.
var unicast = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func public(ip netip.Addr) bool {
	if ip.Is6() && !unicast.Contains(ip) {
		return false
	}
	return !slices.ContainsFunc(special, func(r netip.Prefix) bool { return r.Contains(ip) })
}
