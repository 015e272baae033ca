// Sandbox-egress is the program of a gateway's containers. It is of no use anywhere else.
package main

import (
	"fmt"
	"os"

	"github.com/synchestra-io/sandbox/egress/program"
)

func main() {
	if err := program.Main(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox-egress:", err)
		os.Exit(1)
	}
}
