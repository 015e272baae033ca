package attacks

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"unicode"

	"github.com/synchestra-io/sandbox"
)

// attackEnv is what one attack works with.
type attackEnv struct {
	*Fixture
	attack Attack
	ctx    context.Context
	log    strings.Builder
	// nothingToTake says that there was nothing for the attacker to take.
	nothingToTake bool
}

// aborted is the panic by which an attack says that it cannot be made, and why.
// [Fixture.Make] recovers it, and nobody else. With returned errors every line of the
// tables would have to check one, and an attack that forgets to would pass for
// defended.
type aborted string

func (e *attackEnv) abort(format string, args ...any) {
	panic(aborted(fmt.Sprintf(format, args...)))
}

func (e *attackEnv) abortOn(err error) {
	if err != nil {
		e.abort("%v", err)
	}
}

// logf adds a line to the log. Some attacks print bytes that are not text.
func (e *attackEnv) logf(format string, args ...any) {
	e.log.WriteString(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '.'
	}, fmt.Sprintf(format+"\n", args...)))
}

// job is a job that runs the probe.
func (e *attackEnv) job(command ...string) sandbox.Job {
	limits := defaultLimits
	if e.attack.change != nil {
		e.attack.change(&limits)
	}
	return sandbox.Job{Image: e.image, Cmd: append([]string{"/probe"}, command...), Limits: limits}
}

// result runs a job that must have a result.
func (e *attackEnv) result(j sandbox.Job) sandbox.Result {
	res, err := e.run(e.ctx, j)
	if err != nil {
		e.abort("%q was not run: %v\n%s", j.Cmd, err, res.Logs)
	}
	e.logf("%q: exit status %d\n%.3000s", j.Cmd, res.ExitCode, res.Logs)
	return res
}

// report is what the probe printed, by kind: got, denied, looked, broken.
type report map[string][]string

// report reads the output of a probe that must have come to its end.
func (e *attackEnv) report(output []byte) report {
	said, attempted, done := e.parse(output)
	if !attempted || !done {
		e.abort("the probe did not come to its end:\n%s", output)
	}
	return said
}

// partialReport reads the output of a probe that may have been killed.
func (e *attackEnv) partialReport(output []byte) report {
	said, attempted, done := e.parse(output)
	if !attempted && !done {
		e.abort("the probe did nothing:\n%s", output)
	}
	return said
}

func (e *attackEnv) parse(output []byte) (said report, attempted, done bool) {
	said = report{}
	for line := range strings.Lines(string(output)) {
		if kind, what, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); found {
			said[kind] = append(said[kind], what)
		}
	}
	if said["broken"] != nil {
		e.abort("the attempt of the probe was wrong:\n%s", output)
	}
	attempted = len(said["got"])+len(said["denied"])+len(said["looked"]) > 0
	return said, attempted, strings.HasSuffix(string(output), "done\n")
}

// ask runs a job of the probe to its end.
func (e *attackEnv) ask(j sandbox.Job) report { return e.report(e.result(j).Logs) }

// got runs a job of the probe to its end and returns what the probe got.
func (e *attackEnv) got(j sandbox.Job) []string { return e.ask(j)["got"] }

// gotOutside returns what the probe gets outside the sandbox.
func (e *attackEnv) gotOutside(command ...string) []string {
	probe, err := e.probe()
	if err != nil {
		e.abort("no probe to run outside the sandbox: %v", err)
	}
	outside := exec.CommandContext(e.ctx, probe, command...)
	outside.Env = append(os.Environ(), probeMarker+"=1")
	output, err := outside.CombinedOutput()
	if err != nil {
		e.abort("outside the sandbox: %v\n%s", err, output)
	}
	e.logf("outside the sandbox:\n%s", output)
	return e.report(output)["got"]
}

// duringOtherRun attacks while another run is under way. In that run the probe does
// first, waits for the end of the attack, and does then. It must end with status 0;
// duringOtherRun returns what it reported.
func (e *attackEnv) duringOtherRun(j sandbox.Job, first, then string, attack func()) report {
	res, err := e.besideOtherRun(j, first, then, attack)
	if err != nil || res.ExitCode != 0 {
		e.abort("the other run: exit status %d, %v\n%s", res.ExitCode, err, res.Logs)
	}
	if first == "nothing" && then == "nothing" {
		return e.partialReport(res.Logs)
	}
	return e.report(res.Logs)
}

// besideOtherRun is duringOtherRun for an attack that wants to see how the other run
// ends.
func (e *attackEnv) besideOtherRun(j sandbox.Job, first, then string, attack func()) (sandbox.Result, error) {
	j.Cmd = []string{"/probe", "hold", first, then}
	input, release := io.Pipe()
	ready := &lineWatcher{line: "ready\n", seen: make(chan struct{})}
	j.Stdin, j.Stdout = input, ready
	var res sandbox.Result
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		res, err = e.run(e.ctx, j)
	}()
	// The other run must end even if the attack is aborted.
	defer func() {
		release.Close()
		<-ended
	}()
	select {
	case <-ready.seen:
		attack()
	case <-ended:
		e.abort("the other run ended too early: exit status %d, %v\n%s", res.ExitCode, err, res.Logs)
	}
	release.Close()
	<-ended
	e.logf("the other run: exit status %d, %v\n%.3000s", res.ExitCode, err, res.Logs)
	return res, err
}

// lineWatcher is a writer that closes seen when a line was written.
type lineWatcher struct {
	line string
	seen chan struct{}
	text strings.Builder
	once sync.Once
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	w.text.Write(p)
	if strings.Contains(w.text.String(), w.line) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

// newToken returns a name that nobody else has.
func newToken() string { return "attack-" + strings.ToLower(rand.Text()) }
