//go:build linux && (amd64 || arm64)

package probe

import (
	"bufio"
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

func init() {
	modes["interfaces"] = interfaces
	modes["connect"] = connect
	modes["keep-listener"] = func(args []string) {
		l, err := net.Listen(args[0], args[1])
		must(err)
		if err == nil {
			addr(&l) // keeps it open
		}
	}
	modes["resolve"] = resolve
	modes["configure"] = configure
}

// interfaces looks for interfaces besides the loopback, and for routes.
func interfaces([]string) {
	list, err := net.Interfaces()
	must(err)
	for _, i := range list {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			got("the interface %s", i.Name)
		}
		say("looked", "the interface %s", i.Name)
	}
	for _, table := range []string{"/proc/net/route", "/proc/net/ipv6_route"} {
		f, err := os.Open(table)
		if err != nil {
			say("looked", "%v", err)
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			line := lines.Text()
			if !strings.HasPrefix(line, "Iface") && !strings.HasSuffix(strings.TrimSpace(line), "lo") {
				got("a route: %s", line)
			}
		}
		say("looked", "%s", table)
	}
}

// connect connects to each NETWORK/ADDRESS.
func connect(args []string) {
	for _, arg := range args {
		network, address, _ := strings.Cut(arg, "/")
		c, err := net.DialTimeout(network, address, 2*time.Second)
		if e, ok := err.(net.Error); ok && e.Timeout() {
			say("denied", "%s: %v", arg, err)
			continue
		}
		if try("a connection to "+arg, err) {
			c.Close()
		}
	}
}

func resolve([]string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	resolver := net.Resolver{PreferGo: true}
	found, err := resolver.LookupHost(ctx, "example.com")
	if err == nil {
		got("addresses: %v", found)
		return
	}
	say("denied", "%v", err)
}

// configure gives the loopback another address and takes it down.
func configure([]string) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	must(err)
	request := struct {
		name   [16]byte
		family uint16
		port   uint16
		ip     [4]byte
		rest   [16]byte
	}{name: [16]byte{'l', 'o'}, family: syscall.AF_INET, ip: [4]byte{127, 0, 0, 2}}
	try("another address", failed(call(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFADDR, addr(&request))))
	request.family = 0
	try("an interface down", failed(call(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, addr(&request))))
}
