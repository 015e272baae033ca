// Probe is the one program in the tests' image from scratch: a few tasks that
// need no shell.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch args[0] {
	case "cat": // FILE
		content, err := os.ReadFile(args[1])
		os.Stdout.Write(content)
		return err
	case "write": // FILE TEXT
		return os.WriteFile(args[1], []byte(args[2]), 0o644)
	case "socket": // PATH, which stays
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: args[1]})
		if err == nil {
			l.SetUnlinkOnClose(false)
			err = l.Close()
		}
		return err
	case "report": // what the container looks like from inside
		return printJSON(report())
	case "limits": // what its cgroup allows
		return printJSON(limits())
	case "deep": // DIR DEPTH NAME
		return deep(args[1], args[2], args[3])
	case "many": // KIND DIR NUMBER
		return many(args[1], args[2], args[3])
	case "bomb":
		bomb()
	case "vfork":
		return vfork()
	case "trace-exit":
		return traceExit()
	case "trace-init":
		return traceInit()
	case "shm":
		return shm()
	case "listen": // NETWORK ADDRESS
		return listen(args[1], args[2])
	case "dial": // NETWORK ADDRESS
		return dial(args[1], args[2])
	}
	return fmt.Errorf("no such task: %q", args)
}

func printJSON(facts map[string]string, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(facts)
}
