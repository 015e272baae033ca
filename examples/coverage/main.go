// Coverage runs the unit tests of Go modules in the sandbox, without network,
// and prints their coverage by package.
//
//	coverage [-out DIR] [-timeout D] [-image REF] [-proxy URL] [PATH...]
//
// A PATH is a Git repository, of which HEAD is tested, or any directory with a
// go.mod; the default is the current directory. The module's dependencies are
// downloaded in the sandbox, too, by a first command that reaches a proxy and nothing else: one
// that serves what this machine has downloaded before, or another one. That needs the program
// sandbox-egress beside this one, or the image of make egress-image.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/synchestra-io/sandbox/egress"
)

func main() {
	var o options
	flag.StringVar(&o.out, "out", "coverage", "directory for cover.out and cover.html of each module")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "kill the tests after this long")
	flag.StringVar(&o.image, "image", "", "image with a Go toolchain; without it one of this machine's Go, which is made if the engine has none")
	flag.StringVar(&o.proxy, "proxy", "", "module proxy to download dependencies from, such as https://proxy.golang.org; without it a proxy of what this machine has downloaded")
	flag.Parse()
	o.paths = flag.Args()
	if len(o.paths) == 0 {
		o.paths = []string{"."}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

type options struct {
	out     string
	timeout time.Duration
	image   string
	proxy   string
	paths   []string
	access  *egress.Access // to the proxy, nil = network bridge
}

// run tests one module after the other and fails if one of them does.
func run(ctx context.Context, o options) error {
	if o.image == "" {
		var err error
		if o.image, err = toolchainImage(ctx); err != nil {
			return err
		}
	}
	if o.proxy == "" {
		p, err := startProxy(ctx)
		if err != nil {
			return fmt.Errorf("module proxy: %w", err)
		}
		defer p.close()
		o.proxy = p.url
	}
	gateway, err := openGateway(ctx, o.proxy)
	if err != nil {
		return err
	}
	if gateway != nil {
		defer gateway.Close()
	}
	var failed []error
	for _, path := range o.paths {
		if err := testWith(ctx, gateway, path, o); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// testWith tests a module with an access of its own.
func testWith(ctx context.Context, gateway *egress.Gateway, path string, o options) (err error) {
	if gateway != nil {
		if o.access, err = gateway.Join(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.access.Close()) }()
	}
	return testOne(ctx, path, o)
}

func testOne(ctx context.Context, path string, o options) error {
	m, err := openModule(ctx, path)
	if err != nil {
		return err
	}
	defer m.close()
	outcome, err := m.test(ctx, o)
	if err == nil {
		err = outcome.save(ctx, m, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	outcome.print(os.Stdout)
	if !outcome.passed() {
		return fmt.Errorf("%s: %s", m.name, outcome.verdict())
	}
	return nil
}
