// Package egress lets the jobs of package sandbox reach named hosts, and nothing else.
//
//	gateway, err := egress.Open(ctx, egress.Options{Allow: []string{"proxy.golang.org:443"}})
//	...
//	defer gateway.Close()
//	access, err := gateway.Join(ctx)
//	...
//	defer access.Close()
//	job.Setup.Network, job.Setup.Env = access.Network(), access.Env()
//	result, err := runner.RunOnce(ctx, job)
//
// The job has no network: it has a network namespace with the loopback interface alone, which
// it shares with nothing, and in it an HTTP proxy listens. So there is nothing to get around.
// There is no route to the host, to neighbours, to other jobs or to cloud metadata, no name
// server, and no way for anything but HTTP and TLS to leave. Programs must go through the
// proxy, by the variables of [Access.Env]; most do.
//
// The proxy is a container, hardened as a job is, on network "bridge". It decides by
// name and port, and again by address when it connects: addresses that are not public are
// refused, whatever a name server says. A tunnel by CONNECT must begin with TLS
// for the server that was allowed. What goes through it is not looked at, so that a host that
// is allowed can pass on what it is given, and so can whoever shares its server by another name.
// Allow no more than is needed.
//
// Module egress and module sandbox of one version go together.
package egress
