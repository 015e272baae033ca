//go:build linux && (amd64 || arm64)

package probe

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

func init() {
	modes["use-memory"] = useMemory
	modes["fork"] = fork
	modes["use-cpu"] = useCPU
	modes["print"] = func([]string) {
		line := bytes.Repeat([]byte("0123456789abcde\n"), 1<<12)
		for range 50 << 20 / len(line) {
			os.Stdout.Write(line)
		}
	}
	modes["never-end"] = func([]string) {
		signal.Ignore()
		for {
			runtime.Gosched()
		}
	}
}

const mib = 1 << 20

// allocate has functions that take one more MiB of memory and keep it.
var allocate = map[string]func() error{
	"heap": func() error { return touch(make([]byte, mib)) },
	"memfd": func() error {
		fd, err := call(sysMemfdCreate, cString("hog"), 0)
		if err == nil {
			_, err = syscall.Write(fd, make([]byte, mib))
		}
		return err
	},
	"sysv-shm": func() error {
		id, err := call(syscall.SYS_SHMGET, 0, mib, 0o600)
		if err != nil {
			return err
		}
		at, _, errno := syscall.Syscall(syscall.SYS_SHMAT, uintptr(id), 0, 0)
		if errno != 0 {
			return errno
		}
		return touch(unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), mib))
	},
	"sockets": func() error {
		for range 8 {
			pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
			if err != nil {
				return err
			}
			for {
				if _, err := syscall.Write(pair[0], make([]byte, 1<<16)); err != nil {
					break
				}
			}
		}
		return nil
	},
}

func touch(memory []byte) error {
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	addr(&memory[0])
	return nil
}

// useMemory takes memory of a KIND, so many MiB.
func useMemory(args []string) {
	wanted, _ := strconv.Atoi(args[1])
	say("looked", "for %d MiB", wanted)
	begin := time.Now()
	for i := range wanted {
		if err := allocate[args[0]](); err != nil {
			try(fmt.Sprintf("%d MiB of %s", i+1, args[0]), err)
			return
		}
		say("has", "%d MiB after %v", i+1, time.Since(begin).Round(time.Millisecond))
	}
	got("%d MiB of %s", wanted, args[0])
}

// fork creates processes until the kernel refuses one, or there are more than LIMIT.
func fork(args []string) {
	limit, _ := strconv.Atoi(args[0])
	for made := 0; ; made++ {
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 && errno == 0 {
			for {
				syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
		if errno != 0 {
			try(fmt.Sprintf("process %d", made+1), errno)
			return
		}
		if made >= limit {
			got("%d processes", made+1)
			return
		}
	}
}

// useCPU computes in four threads for two seconds and measures how much CPU time it
// gets.
func useCPU([]string) {
	runtime.GOMAXPROCS(4)
	begin := time.Now()
	for range 3 {
		go func() {
			for {
				emptyCall()
			}
		}()
	}
	for time.Since(begin) < 2*time.Second {
		emptyCall()
	}
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	share := float64(cpu) / float64(time.Since(begin))
	if share > 0.75 {
		got("%.2f CPUs", share)
	}
	say("looked", "it got %.2f CPUs", share)
}

//go:noinline
func emptyCall() {}
