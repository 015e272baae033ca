package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/synchestra-io/sandbox"
)

const runExample = `  # the tests of the Go module in this directory
  sandbox run --image golang:1.26 -- go test ./...

  # dependencies with a network, the tests without one, and the coverage profile back
  sandbox run --image golang:1.26 --setup 'go mod download' --network none \
    --collect cover.out --output . -- go test -coverprofile cover.out ./...

  # one command on its standard input, within limits
  echo 'print(6*7)' | sandbox run --image python:3 --no-input --network none \
    --memory 256m --cpus 1 --pids 50 --timeout 10s -- python -`

func newRun(engine *engineFlags) *cobra.Command {
	f := &runFlags{engine: engine}
	c := &cobra.Command{
		Use:     "run [flags] [--] COMMAND [ARGUMENT...]",
		Short:   "Run a command on the files of this directory",
		Example: runExample,
		Long: "Run copies this directory, without .git, into a new container, and runs a command there: as a user\n" +
			"without privileges, on a read-only image. Then it removes everything. Only the image of the proxy\n" +
			"of --allow stays, which is made of this program.\n\n" +
			"The exit status is the command's own; 124 if it was killed at --timeout; and 125 if it could not be\n" +
			"run, if not all of its output could be had, or if it ended with 0 and not all of its files could.\n" +
			"After a kill for memory it is 137.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("there is no command; add it behind the flags, such as: sandbox run --image busybox -- ls")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, streams{c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()})
		},
	}
	f.register(c.Flags())
	return c
}

// streams are this program's own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func (s streams) say(format string, args ...any) {
	fmt.Fprintf(s.err, "sandbox: "+format+"\n", args...)
}

// run carries out the command line.
func (f *runFlags) run(ctx context.Context, command []string, s streams) error {
	res, files, err := f.carryOut(ctx, command, s)
	return f.conclude(res, err, s, files)
}

// carryOut runs the job. An error beside a result without an exit status says that it did not run.
func (f *runFlags) carryOut(ctx context.Context, command []string, s streams) (res sandbox.Result, out *output, err error) {
	res.ExitCode = -1
	j, err := f.job(command)
	if err != nil {
		return res, nil, err
	}
	if out, err = f.openOutput(); err != nil {
		return res, nil, err
	}
	show, queue := newShow(s.err, f.quiet), newQueue()
	show.lines, s.out, s.err = queue.to(s.err), queue.to(show.before(s.out)), queue.to(show.before(s.err))
	defer func() {
		show.end()
		failed := queue.drain(ctx)
		if left := err; failed != nil && (left == nil || onlyLeft(left)) {
			if err = failed; left != nil {
				err = errors.Join(failed, errors.New(trimName(left)))
			}
		}
	}()
	running.Store(true)
	defer running.Store(false)
	o := f.engine.options()
	o.Runtime, o.Platform, o.Pull, o.Progress = f.runtime, f.platform, f.pull.policy, show.progress
	if f.verbose {
		o.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r, err := sandbox.New(o)
	if err != nil {
		return res, out, cmp.Or(err, out.close(nil))
	}
	defer func() {
		if left := r.Close(); err == nil {
			err = left
		} else if left != nil {
			s.say("%s", trimName(left))
		}
	}()
	leave, err := f.allowOnly(ctx, &j, s)
	if err != nil {
		return res, out, cmp.Or(err, out.close(nil))
	}
	defer leave()
	input, err := f.openInput(ctx, s)
	if err != nil {
		return res, out, cmp.Or(err, out.close(nil))
	}
	defer input.Close()
	j.InputTar, j.OutputTar = input.tar(), out.writer()
	f.stream(&j, s)
	res, err = r.RunOnce(ctx, j)
	return res, out, out.close(err)
}

// onlyLeft tells whether an error says that something may be left, and nothing else.
func onlyLeft(err error) bool {
	var step *sandbox.Error
	return errors.As(err, &step) && step.Op == sandbox.OpCleanup
}

// stream connects the command's streams with this program's. As JSON, its output is in the result.
func (f *runFlags) stream(j *sandbox.Job, s streams) {
	if f.input != "-" && !f.noStdin {
		j.Stdin = s.in
	}
	if f.json {
		return
	}
	j.Stdout, j.Stderr = s.out, s.err
	if len(j.Setup.Cmd) > 0 {
		j.Setup.Output = j.Stderr
	}
	j.Limits.LogBytes = liveLogBytes
}

// liveLogBytes is what is kept of output that has been shown.
const liveLogBytes = 64 << 10

// conclude says what came of the run, and with which status this program ends.
func (f *runFlags) conclude(res sandbox.Result, err error, s streams, out *output) error {
	status, lost := f.explain(res, s), 0
	if f.json {
		if failed := writeJSON(s.out, res, err, out); failed != nil {
			return failed
		}
	}
	if out != nil {
		for _, name := range out.refused {
			s.say("not copied back: %s: git would run programs that are named there; --with-git copies it", name)
		}
		lost = len(out.refused)
	}
	for _, path := range sorted(res.Uncollected) {
		if !f.json {
			s.say("not collected: %v", res.Uncollected[path])
		}
		lost++
	}
	if err != nil && !f.json {
		s.say("%s", trimName(err))
	}
	switch {
	case errors.Is(err, context.Canceled):
		status = exitStopped
	case err != nil && !onlyLeft(err), status == 0 && lost > 0:
		status = exitNotRun
	}
	if status == 0 {
		return nil
	}
	return exit(status)
}

// explain says how the command ended, if that is not its own affair, and returns the status that
// this makes.
func (f *runFlags) explain(res sandbox.Result, s streams) int {
	what, timeout, flag, status := "the command", f.limits.Timeout, "--timeout", res.ExitCode
	if res.SetupFailed {
		what, timeout, flag = "--setup", f.setupTimeout, "--setup-timeout"
	}
	switch {
	case res.TimedOut:
		s.say("%s was killed after %v (%s)", what, timeout, flag)
		status = exitTimedOut
	case res.OOMKilled && f.memory > 0:
		s.say("%s, or a part of it, was killed: it needed more than --memory %s", what, f.memory.String())
	case res.OOMKilled:
		s.say("%s, or a part of it, was killed: the engine's machine had no more memory", what)
	}
	if res.SetupFailed {
		s.say("--setup ended with status %d; the command was not run", res.ExitCode)
		status = exitNotRun
	}
	if res.DiskFull {
		s.say("the disk was full (--disk %s)", f.disk.String())
	}
	return status
}
