package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/synchestra-io/sandbox"
)

// profilePath and pagePath are in the container.
const (
	profilePath = sandbox.DefaultInputDir + "/cover.out"
	pagePath    = sandbox.DefaultInputDir + "/cover.html"
)

// outcome is what testing a module came to.
type outcome struct {
	module  string
	res     sandbox.Result
	took    time.Duration
	timeout time.Duration
	saved   []string // files that were written
}

// test runs the module's tests in the sandbox. Tests that fail are no error.
func (m *goModule) test(ctx context.Context, opts options) (*outcome, error) {
	o := &outcome{module: m.name, timeout: opts.timeout}
	j := m.job(opts, m.reader(), opts.timeout, "go", "test", "-coverprofile="+profilePath, "./...")
	j.Collect = []string{profilePath}
	start := time.Now()
	err := working("testing "+m.name+" in the sandbox", func() (err error) {
		o.res, err = sandbox.RunOnce(ctx, j)
		return err
	})
	o.took = time.Since(start)
	return o, complete(err)
}

// complete drops an error beside which the result is complete: only the
// clean-up failed, and what may be left is said.
func complete(err error) error {
	var e *sandbox.Error
	if errors.As(err, &e) && e.Op == sandbox.OpCleanup {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		return nil
	}
	return err
}

func (o *outcome) passed() bool { return o.res.ExitCode == 0 && !o.res.TimedOut }

// verdict says what happened, with the exit status.
func (o *outcome) verdict() string {
	switch {
	case o.res.SetupFailed:
		return fmt.Sprintf("the dependencies cannot be downloaded, exit status %d", o.res.ExitCode)
	case o.res.TimedOut:
		return fmt.Sprintf("killed at the timeout of %v, exit status %d", o.timeout, o.res.ExitCode)
	case o.res.ExitCode == 0:
		return "all tests passed"
	case bytes.Contains(o.res.Logs, []byte("[build failed]")), bytes.Contains(o.res.Logs, []byte("[setup failed]")):
		return fmt.Sprintf("does not build, exit status %d", o.res.ExitCode)
	default:
		return fmt.Sprintf("tests failed, exit status %d", o.res.ExitCode)
	}
}

// save writes the profile, and the toolchain's own page for it, which a second
// run makes: what a stranger's repository holds is only read in the sandbox.
func (o *outcome) save(ctx context.Context, m *goModule, opts options) error {
	profile := o.res.Artifacts[profilePath]
	if bytes.Count(profile, []byte("\n")) < 2 {
		return nil // the mode alone: nothing was measured
	}
	dir := filepath.Join(opts.out, filepath.FromSlash(m.name))
	if err := o.write(filepath.Join(dir, "cover.out"), profile); err != nil {
		return err
	}
	source, out := io.Pipe()
	go func() { out.CloseWithError(addFile(out, m.reader(), "cover.out", profile)) }()
	defer source.Close() // ends the writer if the engine stops reading
	j := m.job(opts, source, time.Minute, "go", "tool", "cover", "-html="+profilePath, "-o="+pagePath)
	j.Collect = []string{pagePath}
	var res sandbox.Result
	err := working("making the page", func() (err error) {
		res, err = sandbox.RunOnce(ctx, j)
		return err
	})
	if err = complete(err); err != nil {
		return err
	}
	page, made := res.Artifacts[pagePath]
	if !made {
		return fmt.Errorf("go tool cover ended with status %d: %s%s", res.ExitCode, res.SetupLogs, res.Logs)
	}
	return o.write(filepath.Join(dir, "cover.html"), page)
}

func (o *outcome) write(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return err
	}
	o.saved = append(o.saved, name)
	return nil
}
