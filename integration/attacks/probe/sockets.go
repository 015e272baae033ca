//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
)

func init() {
	modes["raw-sockets"] = func([]string) {
		trySocket("a raw IPv4 socket", syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
		trySocket("a raw IPv6 socket", syscall.AF_INET6, syscall.SOCK_RAW, syscall.IPPROTO_ICMPV6)
		packetSocket(nil)
	}
	modes["packet-socket"] = packetSocket
	modes["af-alg"] = func([]string) { trySocket("a socket of AF_ALG", 38, syscall.SOCK_SEQPACKET, 0) }
	modes["af-vsock"] = func([]string) { trySocket("a socket of AF_VSOCK", 40, syscall.SOCK_STREAM, 0) }
	modes["socket-families"] = socketFamilies
	modes["socket-protocols"] = socketProtocols
}

func trySocket(what string, family, kind, protocol int) {
	fd, err := syscall.Socket(family, kind, protocol)
	if try(what, err) {
		syscall.Close(fd)
	}
}

func packetSocket([]string) {
	trySocket("a packet socket", syscall.AF_PACKET, syscall.SOCK_RAW, 0x0300)
}

// noType is a type of sockets that no kernel has: it says EINVAL before it looks for
// privileges, so that EPERM is the filter's.
const noType = 15

var socketTypes = []int{
	syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_RAW, syscall.SOCK_RDM, syscall.SOCK_SEQPACKET, dccpType, noType,
}

const dccpType = 6

// socketFamilies asks for sockets of every family, and beyond, but the four that jobs
// need, and for pairs of every family but UNIX.
func socketFamilies([]string) {
	needed := []int{syscall.AF_UNIX, syscall.AF_INET, syscall.AF_INET6, syscall.AF_NETLINK}
	for family := range 64 {
		for _, kind := range socketTypes {
			what := fmt.Sprintf("family %d, type %d", family, kind)
			if !slices.Contains(needed, family) {
				fd, err := syscall.Socket(family, kind, 0)
				tryFiltered("a socket of "+what, err, fd)
			}
			if family != syscall.AF_UNIX {
				pair, err := syscall.Socketpair(family, kind, 0)
				tryFiltered("a pair of "+what, err, pair[:]...)
			}
		}
	}
}

// socketProtocols asks for sockets of every protocol of the needed families but those
// that jobs need.
func socketProtocols([]string) {
	const mptcp, last = 262, 300
	for protocol := range last {
		for _, kind := range socketTypes {
			what := fmt.Sprintf("type %d, protocol %d", kind, protocol)
			usual := kind < syscall.SOCK_RDM
			if !usual || !slices.Contains([]int{0, syscall.IPPROTO_ICMP, syscall.IPPROTO_TCP, syscall.IPPROTO_UDP, mptcp}, protocol) {
				fd, err := syscall.Socket(syscall.AF_INET, kind, protocol)
				tryFiltered("an IPv4 socket of "+what, err, fd)
			}
			if !usual || !slices.Contains([]int{0, syscall.IPPROTO_ICMPV6, syscall.IPPROTO_TCP, syscall.IPPROTO_UDP, mptcp}, protocol) {
				fd, err := syscall.Socket(syscall.AF_INET6, kind, protocol)
				tryFiltered("an IPv6 socket of "+what, err, fd)
			}
			if !usual || protocol != syscall.NETLINK_ROUTE {
				fd, err := syscall.Socket(syscall.AF_NETLINK, kind, protocol)
				tryFiltered("a netlink socket of "+what, err, fd)
			}
		}
	}
}

// tryFiltered is try for a call that the filter must not let through. Any answer but
// the filter's own comes from the kernel's code for sockets. That this kernel has no
// such family, or none yet, is no defence: another one has it, or loads it.
func tryFiltered(what string, err error, fds ...int) {
	switch {
	case errors.Is(err, syscall.EPERM):
		say("denied", "%s: %v", what, err)
	case err != nil:
		got("%s: it reached the kernel, which said: %v", what, err)
	default:
		got("%s", what)
		for _, fd := range fds {
			syscall.Close(fd)
		}
	}
}
