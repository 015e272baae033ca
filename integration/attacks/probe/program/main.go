//go:build linux && (amd64 || arm64)

// Program is package probe as a program, which the tests build.
package main

import "github.com/synchestra-io/sandbox/integration/attacks/probe"

func main() { probe.Main() }
