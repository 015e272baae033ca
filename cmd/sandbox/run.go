package main

import (
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
			"without privileges, on a read-only image. Then it removes everything.\n\n" +
			"The exit status is the command's own; 124 if it was killed at --timeout, and 125 if it could not be\n" +
			"run, or not all of its output or files could be had. After a kill for memory it is 137.",
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
	j, err := f.job(command)
	if err != nil {
		return err
	}
	show := newShow(s.err, f.quiet)
	defer show.end()
	o := f.engine.options()
	o.Runtime, o.Platform, o.Pull, o.Progress = f.runtime, f.platform, f.pull.policy, show.progress
	if f.verbose {
		o.Logger = slog.New(slog.NewTextHandler(show.before(s.err), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r, err := sandbox.New(o)
	if err != nil {
		return err
	}
	defer r.Close()
	leave, err := f.allowOnly(ctx, &j, s)
	if err != nil {
		return err
	}
	defer leave()
	input, err := f.openInput(s)
	if err != nil {
		return err
	}
	defer input.Close()
	j.InputTar = input.tar()
	out := f.openOutput()
	j.OutputTar = out.writer()
	f.stream(&j, s, show)
	res, err := r.RunOnce(ctx, j)
	show.end()
	return f.conclude(res, out.close(err), s, out.files)
}

// stream connects the command's streams with this program's. As JSON, its output is in the result.
func (f *runFlags) stream(j *sandbox.Job, s streams, show *show) {
	if f.input != "-" && !f.noStdin {
		j.Stdin = s.in
	}
	if f.json {
		return
	}
	j.Stdout, j.Stderr, j.Setup.Output = show.before(s.out), show.before(s.err), nil
	if len(j.Setup.Cmd) > 0 {
		j.Setup.Output = show.before(s.err)
	}
	j.Limits.LogBytes = liveLogBytes
}

// liveLogBytes is what is kept of output that has been shown.
const liveLogBytes = 64 << 10

// conclude says what came of the run, and with which status this program ends.
func (f *runFlags) conclude(res sandbox.Result, err error, s streams, files []file) error {
	status := res.ExitCode
	switch {
	case err != nil:
		s.say("%s", trimName(err))
		status = exitNotRun
	case res.SetupFailed:
		s.say("--setup ended with status %d; the command was not run", res.ExitCode)
		status = exitNotRun
	case res.TimedOut:
		s.say("the command was killed after %v (--timeout)", f.limits.Timeout)
		status = exitTimedOut
	case res.OOMKilled:
		s.say("the command, or a part of it, was killed: it needed more than --memory %s", f.memory.String())
	}
	if res.DiskFull {
		s.say("the disk was full (--disk %s)", f.disk.String())
	}
	if f.json {
		if failed := writeJSON(s.out, res, err, files); failed != nil {
			return failed
		}
	} else {
		for _, path := range sorted(res.Uncollected) {
			s.say("not collected: %v", res.Uncollected[path])
		}
	}
	if errors.Is(err, context.Canceled) {
		status = exitStopped
	}
	if status == 0 {
		return nil
	}
	return exit(status)
}
