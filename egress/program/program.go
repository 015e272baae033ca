//go:build unix

// Package program is the program of a gateway's containers, for programs that carry it: their
// own image can then be that of the proxy.
package program

import (
	"errors"
	"os"
	"runtime/debug"

	"github.com/synchestra-io/sandbox/egress/internal/proxy"
)

// Name is what the program is called in its image.
const Name = "sandbox-egress"

// memoryLimit is less than what the container may have, where the kernel's memory for connections
// counts, too.
const memoryLimit = 700 << 20

// Main is the program. args are behind its name on the command line:
//
//	serve DIR
//	join DIR RUN
func Main(args []string) error {
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
