//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

func init() {
	modes["lock"] = lock
	modes["watch"] = watch
	modes["watched"] = watched
	modes["take-inotify"] = func([]string) { takeAll("inotify", inotify) }
	modes["need-inotify"] = func([]string) { try("an instance of inotify", inotify()) }
	modes["take-mqueues"] = func([]string) { takeAll("mqueue", mqueue) }
	modes["need-mqueues"] = func([]string) { try("a message queue", mqueue()) }
	modes["take-timers"] = func([]string) { takeAll("timer", timer) }
	modes["need-timers"] = func([]string) { try("a timer", timer()) }
	modes["take-epoll"] = func([]string) { takeAll("epoll watch", watchers) }
	modes["need-epoll"] = func([]string) { try("a watch of epoll", newWatch()) }
	modes["take-pipes"] = func([]string) { takeAll("pipe", pipe) }
	modes["need-pipes"] = func([]string) { try("a pipe of 64 KiB", pipe()) }
	modes["take-passed"] = func([]string) { takeAll("passed descriptor", pass) }
	modes["need-passed"] = func([]string) { try("a descriptor in flight", pass()) }
	modes["take-ptys"] = func([]string) { takeAll("pseudo-terminal", pty) }
	modes["need-ptys"] = func([]string) { try("a pseudo-terminal", pty()) }
}

// lock locks a file that the engine mounts into every container.
func lock([]string) {
	f, err := os.Open(initFile())
	if err != nil {
		try("the file of the init", err)
		return
	}
	addr(f) // keeps it open
	try("the lock", syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

var watching = -1

// watch starts to watch the same file, and watched tells whether anyone opened it.
func watch([]string) {
	var err error
	if watching, err = syscall.InotifyInit1(syscall.IN_NONBLOCK); err == nil {
		_, err = syscall.InotifyAddWatch(watching, initFile(), syscall.IN_OPEN|syscall.IN_ACCESS)
	}
	if err != nil {
		say("denied", "a watch: %v", err)
	}
}

func watched([]string) {
	n, err := syscall.Read(watching, make([]byte, 4096))
	if n > 0 {
		got("the start of another run")
		return
	}
	say("looked", "for events: %v", err)
}

// takeAll takes a resource until the kernel refuses more, for twenty seconds at most.
func takeAll(what string, one func() error) {
	begun := time.Now()
	for i := 0; time.Since(begun) < 20*time.Second; i++ {
		if err := one(); err != nil {
			say("looked", "%d of %s, then %v", i, what, err)
			return
		}
	}
	say("looked", "%s without end", what)
}

func inotify() error {
	_, err := syscall.InotifyInit1(0)
	return err
}

var queues int

func mqueue() error {
	queues++
	attr := [8]int64{1: 10, 2: 8192} // the number of messages, and the size of each
	_, err := call(syscall.SYS_MQ_OPEN, cString(fmt.Sprint("q", queues)), syscall.O_CREAT|syscall.O_RDWR, 0o666, addr(&attr))
	return err
}

func timer() error {
	var id int32
	_, _, errno := syscall.Syscall(syscall.SYS_TIMER_CREATE, 1, 0, addr(&id))
	if errno != 0 {
		return errno
	}
	return nil
}
