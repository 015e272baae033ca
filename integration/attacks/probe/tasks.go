//go:build linux && (amd64 || arm64)

package probe

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// tasks are what other tests need in an image without a shell. A task prints its result.
// After an error it prints that to stderr and exits with status 1.
var tasks = map[string]func(args []string) error{
	"cat": func(args []string) error { // FILE
		content, err := os.ReadFile(args[0])
		os.Stdout.Write(content)
		return err
	},
	"write": func(args []string) error { // FILE TEXT
		return os.WriteFile(args[0], []byte(args[1]), 0o644)
	},
	"socket":     leaveSocket,                                                          // PATH
	"report":     func([]string) error { return printJSON(report()) },                  // what a job can find out about its confinement
	"limits":     func([]string) error { return printJSON(limits()) },                  // the limits of the container
	"deep":       func(args []string) error { return deep(args[0], args[1], args[2]) }, // DIR DEPTH NAME
	"many":       func(args []string) error { return many(args[0], args[1], args[2]) }, // KIND DIR NUMBER
	"bomb":       func([]string) error { bomb(); return nil },
	"vfork":      func([]string) error { return vfork() },
	"trace-exit": func([]string) error { return traceExit() },
	"trace-init": func([]string) error { return traceInit() },
	// Shared memory of System V outlives the process that creates it.
	"shm":    func([]string) error { return failed(call(syscall.SYS_SHMGET, ipcKey, 4096, ipcCreate|0o666)) },
	"listen": func(args []string) error { return acceptForever(args[0], args[1]) }, // NETWORK ADDRESS
	"dial":   func(args []string) error { return reach(args[0], args[1]) },         // NETWORK ADDRESS
}

func printJSON(facts map[string]string, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(facts)
}

// leaveSocket leaves a socket file.
func leaveSocket(args []string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: args[0]})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

func acceptForever(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		c.Close()
	}
}

func reach(network, address string) error {
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("reached")
	return c.Close()
}
