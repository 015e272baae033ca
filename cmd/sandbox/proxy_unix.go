//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/synchestra-io/sandbox/egress/program"
)

const proxyName = program.Name

// becomeProxy makes this program the proxy of --allow, if it is in that one's image.
func becomeProxy() {
	if filepath.Base(os.Args[0]) != proxyName {
		return
	}
	if err := program.Main(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox-egress:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
