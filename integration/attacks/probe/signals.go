//go:build linux && (amd64 || arm64)

package probe

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

func init() {
	modes["hold"] = hold
	modes["signal-hosts"] = signalHosts
	modes["kill-all"] = func([]string) {
		if err := syscall.Kill(-1, syscall.SIGKILL); err != nil {
			say("denied", "%v", err)
		} else {
			say("looked", "it signalled every process that it may")
		}
	}
	modes["kill-group"] = func([]string) { say("broken", "%v", syscall.Kill(0, syscall.SIGKILL)) }
	modes["stop-self"] = func([]string) { say("broken", "%v", syscall.Kill(0, syscall.SIGSTOP)) }
	modes["kill-init"] = func([]string) {
		for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
			say("looked", "signal %v to PID 1: %v", s, syscall.Kill(1, s))
		}
		os.Exit(7)
	}
	modes["daemon"] = daemon
	modes["exit"] = func(args []string) {
		status, _ := strconv.Atoi(args[0])
		fmt.Println("Killed")
		os.Exit(status)
	}
}

// hold makes the attempt FIRST, prints "ready", waits for the end of its input, and
// makes the attempt THEN. Each is a mode with its arguments, separated by commas.
func hold(args []string) {
	for i, word := range args {
		mode := strings.Split(word, ",")
		do(mode[0], mode[1:])
		if i == 0 {
			fmt.Println("ready")
			io.Copy(io.Discard, os.Stdin)
		}
	}
}

// signalHosts looks for processes of other containers and of the host. Signal 0
// disturbs nobody.
func signalHosts(args []string) {
	ids := processIDs(args)
	for _, id := range ids {
		if err := syscall.Kill(id, 0); err != syscall.ESRCH && !isOwnThread(id) {
			got("process %d: %v", id, err)
		}
	}
	say("looked", "%d process IDs", len(ids))
}

// daemon leaves a process in a session of its own, with the same output and with the
// TOKEN as an argument.
func daemon(args []string) {
	c := exec.Command("/proc/self/exe", "never-end", args[0])
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		say("broken", "%v", err)
		return
	}
	say("looked", "a process in a session of its own")
}
