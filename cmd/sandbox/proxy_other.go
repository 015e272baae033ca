//go:build !unix

package main

const proxyName = "sandbox-egress"

func becomeProxy() {}
