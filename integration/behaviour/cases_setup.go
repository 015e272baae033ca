package behaviour

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// withSetup is a script that runs after another one.
func (t trial) withSetup(setup, script string) sandbox.Job {
	j := t.shell(script)
	j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", setup}, Network: "none"}
	return j
}

// interfaces lists the names of the network's interfaces in one line.
const interfaces = "sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev | sort | tr '\\n' ' '"

var setupCases = []Case{{
	Name:    "setup/files",
	Promise: "What Setup leaves in InputDir, HOME and the other writable directories is there for Cmd, which can change it.",
	check: func(t trial) error {
		const each = "for d in /workspace /tmp /srv/a $HOME; do %s; done"
		j := t.withSetup(fmt.Sprintf(each, "cat in 2>/dev/null; mkdir -p $d/x; echo $d >>$d/x/y"), fmt.Sprintf(each, "echo more >>$d/x/y; cat $d/x/y"))
		j.InputTar, j.InputDir, j.WorkDir = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input\n"})), "/srv/a", "/srv/a"
		j.Collect = []string{"/tmp/x/y", "/srv/a/in"}
		res, err := t.do(j)
		return errors.Join(noError(err), equal("exit status", res.ExitCode, 0),
			equal("output", string(res.Logs), "/workspace\nmore\n/tmp\n/tmp\nmore\n/srv/a\nmore\n/tmp\n/tmp\nmore\nmore\n"),
			equal("output of Setup", string(res.SetupLogs), strings.Repeat("input\n", 4)),
			equal("artifacts", len(res.Artifacts), 2), equal("failed", res.SetupFailed, false))
	},
}, {
	Name:    "setup/network",
	Promise: "Setup has a network of its own, the default one unless it says otherwise, and Cmd none of it.",
	check: func(t trial) error {
		var errs []error
		for network, want := range map[string]string{"": "eth0 lo ", "none": "lo "} {
			j := t.withSetup(interfaces, interfaces)
			j.Setup.Network = network
			res, err := t.do(j)
			errs = append(errs, noError(err), equal("interfaces of Setup", string(res.SetupLogs), want), equal("interfaces", string(res.Logs), "lo "))
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "setup/environment",
	Promise: "Setup.Env adds to Env, for Setup alone. Setup has Job.WorkDir, an empty standard input, and the same user.",
	check: func(t trial) error {
		j := t.withSetup("echo $A $B; pwd; cat; id -u", "echo $A $B; cat")
		j.Env, j.Setup.Env = map[string]string{"A": "a", "B": "b"}, map[string]string{"B": "c"}
		j.WorkDir, j.Stdin = "/tmp", strings.NewReader("input")
		res, err := t.do(j)
		return errors.Join(noError(err), equal("output of Setup", string(res.SetupLogs), "a c\n/tmp\n65532\n"), equal("output", string(res.Logs), "a b\ninput"))
	},
}, {
	Name:    "setup/output",
	Promise: "Setup's output goes to Setup.Output and SetupLogs, bounded by LogBytes, and nowhere else.",
	check: func(t trial) error {
		var all, stdout, stderr bytes.Buffer
		j := t.withSetup("seq 10000; echo error >&2", "echo ran")
		j.Setup.Output, j.Stdout, j.Stderr, j.Limits.LogBytes = &all, &stdout, &stderr, 1000
		res, err := t.do(j)
		return errors.Join(noError(err), equal("Output", all.Len(), 48894+len("error\n")), equal("Stdout", stdout.String(), "ran\n"),
			equal("Stderr", stderr.String(), ""), equal("Logs", string(res.Logs), "ran\n"),
			equal("the middle is missing", len(res.SetupLogs) < 2000 && bytes.Contains(res.SetupLogs, []byte("1\n2\n")), true),
			equal("dropped", res.SetupLogsDropped, int64(48894+6-1000)))
	},
}, {
	Name:    "setup/failure",
	Promise: "If Setup fails or is killed, Cmd does not start, and the Result is Setup's, without an error.",
	check: func(t trial) error {
		var errs []error
		for script, want := range map[string]int{"echo out; exit 3": 3, "echo out; kill -9 $$": 137, "echo out; exec /no/such/command": 127} {
			j := t.withSetup(script, "echo ran")
			j.Collect = []string{"/workspace/x"}
			res, err := t.do(j)
			errs = append(errs, noError(err), equal("failed", res.SetupFailed, true), equal("exit status", res.ExitCode, want),
				equal("killed at the timeout", res.TimedOut, false), equal("output", string(res.Logs), ""),
				equal("output of Setup", strings.Contains(string(res.SetupLogs), "out\n"), true), equal("artifacts", len(res.Artifacts)+len(res.Uncollected), 0))
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "setup/timeout",
	Promise: "Setup.Timeout is for Setup alone, and Limits.Timeout for Cmd.",
	Alone:   true,
	check: func(t trial) error {
		j := t.withSetup("echo begun; sleep 60", "echo ran")
		j.Setup.Timeout, j.Limits.Timeout = time.Second, 500*time.Millisecond
		res, err := t.do(j)
		errs := []error{noError(err), equal("failed", res.SetupFailed, true), equal("killed at the timeout", res.TimedOut, true),
			equal("exit status", res.ExitCode, 137), equal("output of Setup", string(res.SetupLogs), "begun\n")}
		j = t.withSetup("sleep 2; echo set up", "echo begun; sleep 60")
		j.Limits.Timeout = time.Second
		res, err = t.do(j)
		return errors.Join(append(errs, noError(err), equal("failed", res.SetupFailed, false), equal("killed at the timeout", res.TimedOut, true),
			equal("output of Setup", string(res.SetupLogs), "set up\n"), equal("output", string(res.Logs), "begun\n"))...)
	},
}, {
	Name:    "setup/refused",
	Promise: "A Setup with fields but no command is refused, and so is one whose fields are wrong.",
	check: func(t trial) error {
		var errs []error
		for field, s := range map[string]sandbox.Setup{
			"Setup.Env has 1": {Env: map[string]string{"A": "a"}}, `Setup.Network is "none"`: {Network: "none"}, "Setup.Timeout is 1s": {Timeout: time.Second},
			"Setup.Cmd[0]": {Cmd: []string{"\x00"}}, `Setup.Network "host"`: {Cmd: []string{"true"}, Network: "host"},
			"Setup.Timeout -1s": {Cmd: []string{"true"}, Timeout: -time.Second}, "Setup.Env has an empty name": {Cmd: []string{"true"}, Env: map[string]string{"": ""}},
		} {
			j := t.shell("echo ran")
			j.Setup = s
			_, err := t.do(j)
			errs = append(errs, step(err, sandbox.OpValidate))
			if err == nil || !strings.Contains(err.Error(), field) {
				errs = append(errs, fmt.Errorf("got the error %v, want one about %q", err, field))
			}
		}
		return errors.Join(errs...)
	},
}}
