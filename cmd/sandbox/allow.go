package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/egress"
)

// allowOnly gives the job, or its Setup, a way to the hosts of --allow alone, which leave ends.
func (f *runFlags) allowOnly(ctx context.Context, j *sandbox.Job, s streams) (leave func(), err error) {
	if len(f.allow) == 0 {
		return func() {}, nil
	}
	network, env := &j.Limits.Network, &j.Env
	if len(j.Setup.Cmd) > 0 {
		network, env = &j.Setup.Network, &j.Setup.Env
		if j.Limits.Network == "" {
			j.Limits.Network = "none"
		}
	}
	if *network != "" {
		return nil, fmt.Errorf("--allow is the network, and %q is another one; use one of them", *network)
	}
	image, err := f.proxyImage(ctx, s)
	if err != nil {
		return nil, err
	}
	g, err := egress.Open(ctx, egress.Options{Host: f.engine.host, Context: f.engine.context, Allow: f.allow, Image: image})
	if err != nil {
		return nil, err
	}
	access, err := g.Join(ctx)
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	*network = access.Network()
	all := access.Env()
	maps.Copy(all, *env)
	*env = all
	return func() {
		if err := access.Close(); err != nil {
			s.say("%v", err)
		}
		list, more, err := access.Denied(ctx)
		for _, d := range list {
			s.say("denied: %s, %d times: %s", d.Target, d.Count, d.Reason)
		}
		if more > 0 {
			s.say("denied: %d more", more)
		}
		if err != nil {
			s.say("what was denied is not known: %v", err)
		}
		if err := g.Close(); err != nil {
			s.say("%v", err)
		}
	}, nil
}

// proxyImage is that of --egress-image, or one of this program, which can be the proxy.
func (f *runFlags) proxyImage(ctx context.Context, s streams) (string, error) {
	if f.egressImage != "" {
		return f.egressImage, nil
	}
	const instead = "; make the proxy's image with make egress-image in a checkout, and name it by --egress-image"
	e, err := f.engine.connect(ctx)
	if err != nil {
		return "", err
	}
	defer e.Close()
	program, err := e.ownProgram()
	if err != nil {
		return "", fmt.Errorf("--allow: %w%s", err, instead)
	}
	ref, made, err := e.importProgram(ctx, "sandbox-egress", proxyName, program)
	if err != nil {
		return "", fmt.Errorf("--allow: the proxy's image: %w%s", err, instead)
	}
	if made {
		s.say("the image %s, of the proxy, is this program, and stays", ref)
	}
	return ref, nil
}
