//go:build linux && (amd64 || arm64)

package probe

import (
	"errors"
	"net/netip"
	"syscall"
	"unsafe"
)

func init() {
	allocate["netlink"] = fillUntil(fillNetlink)
	allocate["udp"] = fillUntil(fillUDP)
	allocate["tcp"] = fillUntil(fillTCP)
	allocate["locks"] = locks
}

// fillUntil takes one more MiB with a function that fills the queues of a few sockets
// and returns how many bytes of the kernel's memory they hold. A function that gets
// little again and again has been stopped.
func fillUntil(fill func() (int, error)) func() error {
	return func() error {
		for taken, tries := 0, 0; taken < mib; tries++ {
			held, err := fill()
			if err != nil {
				return err
			}
			if tries == 1000 {
				return syscall.ENOBUFS
			}
			taken += held
		}
		return nil
	}
}

// queued is the memory that the kernel holds for what a socket has received and not
// read, and for what it has not sent.
func queued(fds ...int) (bytes int, err error) {
	const memInfo, received, toSend = 55, 0, 5
	for _, fd := range fds {
		info, size := [9]uint32{}, uint32(36)
		if _, err := call(syscall.SYS_GETSOCKOPT, uintptr(fd), syscall.SOL_SOCKET, memInfo, addr(&info), addr(&size)); err != nil {
			return 0, err
		}
		bytes += int(info[received] + info[toSend])
	}
	return bytes, nil
}

// fillNetlink sends what the kernel refuses with a copy, and never reads its replies.
func fillNetlink() (int, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return 0, err
	}
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1<<30)
	message := make([]byte, 16<<10)
	header := (*syscall.NlMsghdr)(unsafe.Pointer(&message[0]))
	*header = syscall.NlMsghdr{Len: uint32(len(message)), Type: 0xfff, Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_ACK}
	for range 10_000 {
		before, err := queued(fd)
		if err != nil {
			return 0, err
		}
		if err := syscall.Sendto(fd, message, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
			break
		}
		if after, _ := queued(fd); after == before {
			break
		}
	}
	return queued(fd)
}

func loopback(kind int) (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1<<30)
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1<<30)
	return fd, nil
}

func bound(kind int) (fd int, at syscall.Sockaddr, err error) {
	if fd, err = loopback(kind); err != nil {
		return -1, nil, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: netip.MustParseAddr("127.0.0.1").As4()})
	if err == nil {
		at, err = syscall.Getsockname(fd)
	}
	return fd, at, err
}

func fillUDP() (int, error) {
	receiver, at, err := bound(syscall.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	sender, err := loopback(syscall.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(sender)
	for range 1000 {
		if syscall.Sendto(sender, make([]byte, 60_000), 0, at) != nil {
			break
		}
	}
	return queued(receiver)
}

func fillTCP() (int, error) {
	listener, at, err := bound(syscall.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(listener)
	if err := syscall.Listen(listener, 1); err != nil {
		return 0, err
	}
	sender, err := loopback(syscall.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	if err := syscall.Connect(sender, at); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return 0, err
	}
	receiver, _, err := syscall.Accept(listener)
	if err != nil {
		return 0, err
	}
	for range 1000 {
		if _, err := syscall.Write(sender, make([]byte, 1<<16)); err != nil {
			break
		}
	}
	return queued(sender, receiver)
}

// locks takes locks on single bytes, each of which costs the kernel about 200 bytes.
// There are few in a file, since the kernel looks through all of them.
func locks() error {
	const inFile = 1000
	for range mib / 200 / inFile {
		fd, err := call(sysMemfdCreate, cString("locks"), 0)
		if err != nil {
			return err
		}
		for i := range int64(inFile) {
			lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 2 * i, Len: 1}
			if err := syscall.FcntlFlock(uintptr(fd), syscall.F_SETLK, &lock); err != nil {
				return err
			}
		}
	}
	return nil
}
