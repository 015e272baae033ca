// Package orders is what a gateway and its proxy say to each other.
package orders

// Service is the name of the proxy's service, as package net/rpc wants it.
const Service = "Proxy"

// Address is where a job finds the proxy, in its own network namespace.
const Address = "127.0.0.1:3128"

// Denial is a target that was asked for and must not be reached.
type Denial struct {
	Target string // its host and port
	Reason string
	Count  int
}

// Denials are those of one run.
type Denials struct {
	List []Denial
	More int // denials of other targets
}
