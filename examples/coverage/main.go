// Coverage runs the unit tests of Go modules in the sandbox, without network,
// and prints their coverage by package.
//
//	coverage [-out DIR] [-timeout D] [-image REF] [PATH...]
//
// A PATH is a Git repository, of which HEAD is tested, or any directory with a
// go.mod; the default is the current directory. Only the download of the
// module's dependencies, by go mod download, happens outside the sandbox.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.out, "out", "coverage", "directory for cover.out and cover.html of each module")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "kill the tests after this long")
	flag.StringVar(&o.image, "image", "", "image with a Go toolchain; without it one of this machine's Go, which is made if the engine has none")
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
	paths   []string
}

// run tests one module after the other and fails if one of them does.
func run(ctx context.Context, o options) error {
	image := o.image
	if image == "" {
		var err error
		if image, err = toolchainImage(ctx); err != nil {
			return err
		}
	}
	var failed []error
	for _, path := range o.paths {
		if err := testOne(ctx, path, image, o); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func testOne(ctx context.Context, path, image string, o options) error {
	m, err := openModule(ctx, path)
	if err != nil {
		return err
	}
	defer m.close()
	outcome, err := m.test(ctx, image, o.timeout)
	if err == nil {
		err = outcome.save(ctx, m, image, o.out)
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
