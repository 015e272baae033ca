package attacks

import (
	"context"
	"crypto/rand"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synchestra-io/sandbox"
)

// attackEnv is where one attack is made.
type attackEnv struct {
	fixture
	t   testing.TB
	ctx context.Context
	run runner
}

// limit of every attack, unless it sets others.
var limits = sandbox.Limits{CPUs: 1, MemoryMB: 64, PIDs: 64, Timeout: 30 * time.Second, Network: "none"}

// job is one of the probe.
func (a *attackEnv) job(args ...string) sandbox.Job {
	return sandbox.Job{Image: a.image, Cmd: append([]string{"/probe"}, args...), Limits: limits}
}

// do runs a job that must have a result.
func (a *attackEnv) do(j sandbox.Job) sandbox.Result {
	a.t.Helper()
	res, err := a.run(a.ctx, j)
	if err != nil {
		a.t.Fatalf("%q was not run: %v\n%s", j.Cmd, err, res.Logs)
	}
	return res
}

// report is what the probe said, by kind.
type report map[string][]string

// parse fails unless the probe ran, and made its try to the end if it had to.
func (a *attackEnv) parse(logs string, whole bool) report {
	a.t.Helper()
	said := report{}
	for line := range strings.Lines(logs) {
		if kind, what, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); found {
			said[kind] = append(said[kind], what)
		}
	}
	done, tried := strings.HasSuffix(logs, "done\n"), len(said["got"])+len(said["denied"])+len(said["looked"]) > 0
	if said["broken"] != nil || !done && !tried || whole && !(done && tried) {
		a.t.Fatalf("the probe did not make its try:\n%s", logs)
	}
	return said
}

// ask runs a job of the probe to its end.
func (a *attackEnv) ask(j sandbox.Job) report {
	a.t.Helper()
	res := a.do(j)
	a.t.Logf("%q: exit status %d\n%.3000s", j.Cmd, res.ExitCode, res.Logs)
	return a.parse(string(res.Logs), true)
}

// wins is what the probe got.
func (a *attackEnv) wins(j sandbox.Job) []string {
	a.t.Helper()
	return a.ask(j)["got"]
}

// outside has the probe's try made without a sandbox.
func (a *attackEnv) outside(args ...string) []string {
	a.t.Helper()
	out, err := exec.CommandContext(a.ctx, a.probe, args...).CombinedOutput()
	if err != nil {
		a.t.Fatalf("outside the sandbox: %v\n%s", err, out)
	}
	a.t.Logf("outside the sandbox:\n%s", out)
	return a.parse(string(out), true)["got"]
}

// beside makes an attack while another run holds: the probe does first, waits for
// the attack's end, and does then. It returns what that run said, and fails if
// that run did not end well.
func (a *attackEnv) beside(j sandbox.Job, first, then string, attack func()) report {
	a.t.Helper()
	res, err := a.holding(j, first, then, attack)
	if err != nil || res.ExitCode != 0 {
		a.t.Fatalf("the other run: exit status %d, %v\n%s", res.ExitCode, err, res.Logs)
	}
	return a.parse(string(res.Logs), first != "nothing" || then != "nothing")
}

// holding is beside for attacks that want the other run's end.
func (a *attackEnv) holding(j sandbox.Job, first, then string, attack func()) (sandbox.Result, error) {
	a.t.Helper()
	j.Cmd = []string{"/probe", "hold", first, then}
	input, end := io.Pipe()
	ready := &waiter{mark: "ready\n", seen: make(chan struct{})}
	j.Stdin, j.Stdout = input, ready
	var res sandbox.Result
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		res, err = a.run(a.ctx, j)
	}()
	// However the attack ends, the other run has to.
	defer func() {
		end.Close()
		<-ended
	}()
	select {
	case <-ready.seen:
		attack()
	case <-ended:
		a.t.Fatalf("the other run ended by itself: exit status %d, %v\n%s", res.ExitCode, err, res.Logs)
	}
	end.Close()
	<-ended
	a.t.Logf("the other run: exit status %d, %v\n%.3000s", res.ExitCode, err, res.Logs)
	return res, err
}

// waiter is a writer that tells when it has seen a mark.
type waiter struct {
	mark string
	seen chan struct{}
	text strings.Builder
	once sync.Once
}

func (w *waiter) Write(p []byte) (int, error) {
	w.text.Write(p)
	if strings.Contains(w.text.String(), w.mark) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

// newToken is a name that nobody else has.
func newToken() string { return "attack-" + strings.ToLower(rand.Text()) }
