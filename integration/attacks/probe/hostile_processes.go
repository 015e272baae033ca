//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// forever prints what the program has achieved, and never returns.
func forever(what string, err error) error {
	if err == nil {
		fmt.Println(what)
		time.Sleep(1000 * time.Hour)
	}
	return err
}

// bomb is a fork bomb: every child forks too, as fast as it can. The first process says
// when it cannot fork any more.
//
//go:nosplit
func bomb() {
	first, told := pid(), false
	for {
		_, _, failed := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if failed != 0 && !told && pid() == first {
			told = true
			println("at the limit") // to stderr
		}
	}
}

//go:nosplit
func pid() uintptr {
	id, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	return id
}

// vfork keeps a thread in uninterruptible sleep: the thread waits until its child
// executes a program, and the child never does.
func vfork() error {
	thread := make(chan int)
	go func() {
		runtime.LockOSThread()
		thread <- syscall.Gettid()
		vforkAndPause()
	}()
	file := fmt.Sprintf("/proc/self/task/%d/stat", <-thread)
	for {
		stat, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains(string(stat), ") D ") {
			return forever("uninterruptible", nil)
		}
		time.Sleep(time.Millisecond)
	}
}

//go:nosplit
func vforkAndPause() {
	const cloneVfork = 0x4000
	child, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD)|cloneVfork, 0, 0, 0, 0, 0)
	for child == 0 {
		syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// traceExit traces a child and stops it at its exit.
func traceExit() error {
	runtime.LockOSThread()
	child, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	_, err = syscall.Wait4(child.Pid, &status, 0, nil)
	if err == nil {
		err = syscall.PtraceSetOptions(child.Pid, syscall.PTRACE_O_TRACEEXIT)
	}
	for err == nil && status.TrapCause() != syscall.PTRACE_EVENT_EXIT {
		if err = syscall.PtraceCont(child.Pid, 0); err == nil {
			_, err = syscall.Wait4(child.Pid, &status, 0, nil)
		}
	}
	return forever("held", err)
}

// traceInit traces PID 1 and stops it.
func traceInit() error {
	runtime.LockOSThread()
	err := syscall.PtraceAttach(1)
	if err == nil {
		_, err = syscall.Wait4(1, nil, syscall.WALL, nil)
	}
	return forever("held", err)
}
