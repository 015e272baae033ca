// Package proxy is what runs in a gateway's containers: an HTTP proxy in one of them, and in
// the others what gives it a socket in the network namespace of a run. The proxy takes its
// orders from its standard input, and ends with it.
package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/rpc"
	"net/rpc/jsonrpc"
	"sync"

	"github.com/synchestra-io/sandbox/egress/internal/orders"
	"github.com/synchestra-io/sandbox/egress/internal/policy"
)

// Proxy takes orders, as package net/rpc wants them: several at once.
type Proxy struct {
	dir      string
	handoffs *handoffs

	mu       sync.Mutex
	policy   policy.Policy
	dialer   dialer                   // nil until Begin
	opening  map[string]chan struct{} // closed when the run is given up
	accesses map[string]*served
}

// served is a run that is served.
type served struct {
	*access
	from *handoff
}

func (s *served) end() {
	s.access.close()
	s.from.close()
}

// Begin is the first order. It sets the policy, and lets namespaces come. The answer is the
// policy as it was understood. What has an address in the proxy's own networks is refused
// whatever that is: a public one is the host's, or a neighbour's.
func (p *Proxy) Begin(order policy.Policy, understood *policy.Policy) error {
	own, err := ownNetworks()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dialer != nil {
		return errors.New("the proxy has begun")
	}
	if err := p.handoffs.accept(p.dir); err != nil {
		return err
	}
	*understood = order
	p.policy, p.dialer = order, dialerBy(&net.Resolver{PreferGo: true}, order.Without(own))
	p.opening, p.accesses = map[string]chan struct{}{}, map[string]*served{}
	return nil
}

func ownNetworks() (own []netip.Prefix, err error) {
	addresses, err := net.InterfaceAddrs()
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, prefix.Masked())
		}
	}
	return own, err
}

// Open serves a run, when its namespace has come, and until Close or the end of its container.
func (p *Proxy) Open(run string, _ *struct{}) error {
	p.mu.Lock()
	if p.dialer == nil || p.opening[run] != nil || p.accesses[run] != nil {
		p.mu.Unlock()
		return fmt.Errorf("run %s cannot be served now", run)
	}
	givenUp := make(chan struct{})
	p.opening[run] = givenUp
	p.mu.Unlock()
	got, err := p.handoffs.take(run, givenUp)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opening[run] != givenUp && err == nil {
		got.close()
		err = errGivenUp
	}
	if err != nil {
		if p.opening[run] == givenUp {
			delete(p.opening, run)
		}
		return err
	}
	delete(p.opening, run)
	s := &served{newAccess(p.policy, p.dialer, got.listener), got}
	p.accesses[run] = s
	go func() { // the container ends in any case
		<-got.lost
		p.mu.Lock()
		if p.accesses[run] == s {
			delete(p.accesses, run)
		}
		p.mu.Unlock()
		s.end()
	}()
	return nil
}

// Denied tells what was denied to a run.
func (p *Proxy) Denied(run string, answer *orders.Denials) error {
	p.mu.Lock()
	s := p.accesses[run]
	p.mu.Unlock()
	if s == nil {
		return fmt.Errorf("run %s is not served", run)
	}
	answer.List, answer.More = s.denials.all()
	return nil
}

// Close ends all connections of a run, and tells what was denied to it.
func (p *Proxy) Close(run string, answer *orders.Denials) error {
	p.mu.Lock()
	s := p.accesses[run]
	delete(p.accesses, run)
	if givenUp := p.opening[run]; givenUp != nil {
		close(givenUp)
		delete(p.opening, run)
	}
	p.mu.Unlock()
	if s == nil {
		return fmt.Errorf("run %s is not served", run)
	}
	s.end()
	answer.List, answer.More = s.denials.all()
	return nil
}

// Serve takes orders from a stream until it ends; then the program must end, and all that it
// serves with it. It shares dir with the namespaces.
func Serve(stream io.ReadWriteCloser, dir string) error {
	server := rpc.NewServer()
	if err := server.RegisterName(orders.Service, &Proxy{dir: dir, handoffs: newHandoffs()}); err != nil {
		return err
	}
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended) })
	go server.ServeCodec(jsonrpc.NewServerCodec(untilEnd{stream, end})) // it would wait for calls
	<-ended
	return nil
}

// untilEnd calls end at the end of what is read.
type untilEnd struct {
	io.ReadWriteCloser
	end func()
}

func (u untilEnd) Read(p []byte) (int, error) {
	n, err := u.ReadWriteCloser.Read(p)
	if err != nil {
		u.end()
	}
	return n, err
}
