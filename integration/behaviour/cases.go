// Package behaviour holds what the documentation promises of a run, as a table of
// cases that any way to run jobs can be checked against: the library on an engine,
// or a service that hands jobs on. It needs no test framework:
//
//	for _, c := range behaviour.Cases(image) {
//		if err := c.Check(ctx, runner.RunOnce); err != nil {
//			log.Print(err)
//		}
//	}
//
// The tests beside it, with the build tag docker, check the table on a real engine,
// and promises that need more: another image, a registry, a look at the engine.
package behaviour

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/synchestra-io/sandbox"
)

// RunFunc runs a job, as (*sandbox.Runner).RunOnce does.
type RunFunc func(context.Context, sandbox.Job) (sandbox.Result, error)

// Case is one promise, and how to check it.
type Case struct {
	// Name is unique, such as "exit/status".
	Name string
	// Promise says what is promised.
	Promise string
	// Alone is set if other work on the engine's machine can make the check fail.
	Alone bool

	image string
	check func(trial) error
}

// Cases returns all cases. image must have a shell and the usual tools of busybox,
// and its own PATH must find them.
func Cases(image string) []Case {
	cases := slices.Concat(outputCases, streamCases, environmentCases, hardeningCases, inputCases, artifactCases,
		limitCases, endingCases, setupCases, validationCases)
	for i := range cases {
		cases[i].image = image
	}
	return cases
}

// Check runs the jobs of the case. The error says what it got and what it wanted.
func (c Case) Check(ctx context.Context, run RunFunc) error {
	if err := c.check(trial{ctx, run, c.image}); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return nil
}

// trial is one check of a case.
type trial struct {
	ctx   context.Context
	run   RunFunc
	image string
}

// do runs a job.
func (t trial) do(j sandbox.Job) (sandbox.Result, error) { return t.run(t.ctx, j) }

// shell is a job that runs a script without network.
func (t trial) shell(script string) sandbox.Job {
	return sandbox.Job{Image: t.image, Cmd: []string{"sh", "-c", script}, Limits: sandbox.Limits{Network: "none"}}
}

// prints runs a job that must succeed with exactly this output.
func (t trial) prints(j sandbox.Job, output string) error {
	res, err := t.do(j)
	return errors.Join(noError(err), equal("exit status", res.ExitCode, 0), equal("output", string(res.Logs), output))
}

func noError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("error: got %w, want none", err)
}

// step checks which step an error names.
func step(err error, op sandbox.Op) error {
	var failed *sandbox.Error
	if !errors.As(err, &failed) {
		return fmt.Errorf("error: got %v, want an error of step %q", err, op)
	}
	return equal("step of "+err.Error(), failed.Op, op)
}

func wraps(what string, err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("%s: got %v, want %v", what, err, want)
}

// equal compares values that are not functions.
func equal(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%s: got %s, want %s", what, show(got), show(want))
}

// show shortens what is long.
func show(v any) string {
	const most = 300
	text := fmt.Sprintf("%v", v)
	if _, ok := v.(string); ok {
		text = fmt.Sprintf("%q", v)
	}
	if len(text) > most {
		return fmt.Sprintf("%s... (%d bytes)", text[:most], len(text))
	}
	return text
}

// texts are artifacts as strings.
func texts(res sandbox.Result) map[string]string {
	found := map[string]string{}
	for path, content := range res.Artifacts {
		found[path] = string(content)
	}
	return found
}
