package policy

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEntries(t *testing.T) {
	require.NoError(t, Policy{Allow: []string{"10.0.0.1:443"}, Private: prefixes("10.0.0.0/8")}.Check())
	for entry, want := range map[string]string{
		"example.org:443":         "",
		"*.example.org:443":       "",
		"localhost:80":            "",
		"xn--bcher-kva.ch:443":    "",
		"1.1.1.1:443":             "",
		"[2606:4700::1111]:443":   "",
		"192.0.2.1:443":           "would never be reached: the address is not public: 192.0.2.1; add its range to Private",
		"127.0.0.1:443":           "would never be reached",
		"[fe80::1%eth0]:443":      "has a zone",
		"example.org":             "has no port",
		"example.org:":            `the port ""`,
		"example.org:0":           `the port "0"`,
		"example.org:65536":       `the port "65536"`,
		"example.org:https":       `the port "https"`,
		"Example.org:443":         `write "example.org:443"`,
		"example.org.:443":        `write "example.org:443"`,
		"example.org:0443":        `write "example.org:443"`,
		"[::ffff:192.0.2.1]:443":  `write "192.0.2.1:443"`,
		"2001:db8::1:443":         `write "[2001:db8::1]:443"`,
		"*:443":                   `"*" that is not in front`,
		"*.org:443":               "a whole top-level domain",
		"a.*.org:443":             `"*" that is not in front`,
		"*example.org:443":        `"*" that is not in front`,
		"https://example.org:443": "no host name",
		"bücher.ch:443":           "no host name",
		"127.1:80":                "no host name",
		"2130706433:80":           "no host name",
		"0x7f000001:80":           "no host name",
		"1.0x7f:80":               "no host name",
		"a..b:80":                 "no host name",
		":80":                     "no host name",
		"a b:80":                  "no host name",
	} {
		err := Policy{Allow: []string{entry}}.Check()
		if want == "" {
			require.NoError(t, err, entry)
		} else {
			require.ErrorContains(t, err, want, entry)
		}
	}
	require.ErrorContains(t, Policy{}.Check(), "Allow is empty")
	require.ErrorContains(t, Policy{Allow: []string{"a:1"}, Private: make([]netip.Prefix, 1)}.Check(), "Private[0]")
}

func TestNames(t *testing.T) {
	p := Policy{Allow: []string{"example.org:443", "*.example.net:443", "192.0.2.1:80", "[2001:db8::1]:80"}}
	for target, want := range map[string]bool{
		"example.org:443":            true,
		"EXAMPLE.org.:443":           true,
		"example.org:80":             false,
		"a.example.org:443":          false,
		"aexample.org:443":           false,
		"example.org.evil.test:443":  false,
		"a.example.net:443":          true,
		"a.b.example.net:443":        true,
		"example.net:443":            false,
		".example.net:443":           false,
		"aexample.net:443":           false,
		"a.example.net:8443":         false,
		"a.example.net:4430":         false,
		"a..example.net:443":         false,
		"evil.test#.example.net:443": false,
		"evil.test/.example.net:443": false,
		"evil@a.example.net:443":     false,
		"a\x00.example.net:443":      false,
		"*.example.net:443":          false,
		"192.0.2.1:80":               true,
		"[::ffff:192.0.2.1]:80":      true,
		"192.0.2.1.:80":              true,
		"3221225985:80":              false,
		"[2001:db8:0:0::1]:80":       true,
		"192.0.2.2:80":               false,
	} {
		host, port, err := Split(target)
		require.NoError(t, err, target)
		require.Equal(t, want, p.Allows(host, port), target)
	}
	require.False(t, Policy{}.Allows("example.org", 443))
}

func TestAddresses(t *testing.T) {
	p := Policy{Private: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/64")}}
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.32.0.1": true, "100.128.0.1": true, "2606:4700::1": true, "::ffff:8.8.8.8": true,
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00::1": true,
		"10.2.0.1": false, "fd00:1::1": false, "::ffff:10.2.0.1": false,
		"0.0.0.0": false, "127.0.0.1": false, "127.8.8.8": false, "169.254.169.254": false, "172.17.0.1": false, "192.168.0.1": false,
		"100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false, "198.18.0.1": false, "224.0.0.1": false,
		"240.0.0.1": false, "255.255.255.255": false, "203.0.113.9": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "fc00::1": false,
		"fd00:ec2::254": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false, "::169.254.169.254": false,
		"::ffff:0:169.254.169.254": false, "2002:a9fe:a9fe::1": false, "2001:0:a9fe:a9fe::1": false, "2001:db8::1": false, "100::1": false,
	} {
		err := p.Dials(netip.MustParseAddr(text))
		if want {
			require.NoError(t, err, text)
		} else {
			require.ErrorIs(t, err, ErrAddress, text)
		}
	}
	require.ErrorIs(t, p.Control("tcp", "127.0.0.1:80", nil), ErrAddress)
	require.NoError(t, p.Control("tcp", "10.1.0.1:80", nil))
}

// A proxy's own networks can have public addresses, which are the host's and the neighbours'.
func TestOwnNetworks(t *testing.T) {
	own := []netip.Prefix{netip.MustParsePrefix("2606:4700:1::/64"), netip.MustParsePrefix("9.9.9.0/24")}
	p := Policy{Private: []netip.Prefix{netip.MustParsePrefix("9.9.9.9/32")}}.Without(own)
	for text, want := range map[string]bool{
		"2606:4700:1::1": false, "9.9.9.1": false, "::ffff:9.9.9.1": false, "9.9.9.9": true, "2606:4700:2::1": true, "9.9.8.1": true,
	} {
		require.Equal(t, want, p.Dials(netip.MustParseAddr(text)) == nil, text)
	}
}
