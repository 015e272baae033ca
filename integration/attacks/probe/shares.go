//go:build linux && (amd64 || arm64)

package probe

import (
	"os/exec"
	"syscall"
)

// What the kernel counts by user, or over the whole host.

func init() {
	modes["watch-more"] = func([]string) {
		takeAll("watches of one process", watchEverything())
		for {
			syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
}

func newWatch() error {
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		return err
	}
	ends := [2]int{}
	if err := syscall.Pipe2(ends[:], 0); err != nil {
		return err
	}
	return addWatch(epoll, ends[0])
}

func addWatch(epoll, fd int) error {
	return syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN})
}

// watchEverything has as many watches as descriptors allow: half of them watch the other
// half.
func watchEverything() func() error {
	ends := [2]int{}
	must(syscall.Pipe2(ends[:], 0))
	var watched []int
	for len(watched) < 2000 {
		fd, err := syscall.Dup(ends[0])
		if err != nil {
			break
		}
		watched = append(watched, fd)
	}
	epoll, next := -1, len(watched)
	return func() (err error) {
		if next == len(watched) {
			next = 0
			if epoll, err = syscall.EpollCreate1(0); err != nil {
				return err
			}
		}
		next++
		return addWatch(epoll, watched[next-1])
	}
}

// watchers starts a process that takes all the watches that it can, since the descriptors
// of one are not enough. It fails when the user has no more.
func watchers() error {
	more := exec.Command("/proc/self/exe", "watch-more")
	said, err := more.StdoutPipe()
	if err == nil {
		err = more.Start()
	}
	if err != nil {
		return err
	}
	if _, err := said.Read(make([]byte, 100)); err != nil {
		return err
	}
	return newWatch()
}

// pipe opens a pipe. To a user who has too many the kernel gives small ones.
func pipe() error {
	const getSize, usual = 1032, 64 << 10
	ends := [2]int{}
	if err := syscall.Pipe2(ends[:], 0); err != nil {
		return err
	}
	size, err := call(syscall.SYS_FCNTL, uintptr(ends[0]), getSize)
	if err == nil && size < usual {
		return syscall.ENOBUFS
	}
	return err
}

var inFlight [2]int

// pass sends a descriptor that nobody receives.
func pass() error {
	if inFlight[0] == 0 {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		inFlight = pair
	}
	err := syscall.Sendmsg(inFlight[0], []byte{1}, syscall.UnixRights(inFlight[0]), nil, 0)
	if err == syscall.EAGAIN { // this queue is full
		inFlight[0] = 0
		return pass()
	}
	return err
}

func pty() error {
	_, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY, 0)
	return err
}
