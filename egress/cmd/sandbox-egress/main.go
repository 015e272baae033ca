// Sandbox-egress is the program of a gateway's containers. It is of no use anywhere else.
//
//	sandbox-egress serve DIR
//	sandbox-egress join DIR RUN
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/synchestra-io/sandbox/egress/internal/proxy"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox-egress:", err)
		os.Exit(1)
	}
}

// memoryLimit is less than what the container may have, where the kernel's memory for connections
// counts, too.
const memoryLimit = 700 << 20

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		debug.SetMemoryLimit(memoryLimit)
		return proxy.Serve(stdio{}, args[1])
	case len(args) == 3 && args[0] == "join":
		return proxy.Join(args[1], args[2])
	}
	return errors.New("this program is started by package egress")
}

// stdio is the standard input and output as one stream.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return os.Stdout.Close() }
