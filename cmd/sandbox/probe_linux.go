//go:build linux && (amd64 || arm64)

package main

import (
	"os"

	"github.com/synchestra-io/sandbox/integration/attacks/probe"
)

// becomeProbe makes this program the hostile one of the attacks, in their image and where they say so.
func becomeProbe() {
	if probe.Is(os.Args[0]) {
		probe.Main()
		os.Exit(0)
	}
}
