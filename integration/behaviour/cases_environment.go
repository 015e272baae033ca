package behaviour

import (
	"errors"
	"fmt"
	"strings"

	"github.com/synchestra-io/sandbox"
)

var environmentCases = []Case{{
	Name:    "environment/variables",
	Promise: "Env adds to the image's environment, and wins over it.",
	check: func(t trial) error {
		j := t.shell(`echo "$GREETING"; echo "${PATH%%:*}"`)
		j.Env = map[string]string{"GREETING": "hello  world", "PATH": "/first:/bin:/usr/bin"}
		return t.prints(j, "hello  world\n/first\n")
	},
}, {
	Name:    "environment/home",
	Promise: "HOME is a writable directory outside InputDir, unless Env sets it.",
	check: func(t trial) error {
		j := t.shell(`touch "$HOME/new" && case $HOME in /workspace*) echo inside ;; *) echo outside ;; esac`)
		own := t.shell(`echo "$HOME"`)
		own.Env = map[string]string{"HOME": "/somewhere"}
		return errors.Join(t.prints(j, "outside\n"), t.prints(own, "/somewhere\n"))
	},
}, {
	Name:    "environment/work-dir",
	Promise: "The command starts in WorkDir.",
	check: func(t trial) error {
		j := t.shell("pwd")
		j.WorkDir = "/workspace"
		return t.prints(j, "/workspace\n")
	},
}, {
	Name:    "environment/missing-work-dir",
	Promise: "A WorkDir that does not exist is made, empty and not writable.",
	check: func(t trial) error {
		var errs []error
		for dir, complaint := range map[string]string{"/no/such/dir": "Read-only file system", "/workspace/no/such": "Permission denied"} {
			j := t.shell("exec 2>&1; pwd; ls -A; touch file")
			j.WorkDir = dir
			res, err := t.do(j)
			first, rest, _ := strings.Cut(string(res.Logs), "\n")
			errs = append(errs, noError(err), equal("exit status", res.ExitCode, 1), equal("directory", first, dir),
				equal(fmt.Sprintf("%q is one line with %q", rest, complaint), strings.Count(rest, "\n") == 1 && strings.Contains(rest, complaint), true))
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "environment/writable-directories",
	Promise: "In /workspace, /tmp and InputDir files can be made and executed.",
	check: func(t trial) error {
		j := t.shell(`for d in /workspace /tmp /src; do printf '#!/bin/sh\necho in %s\n' $d >$d/run && chmod +x $d/run && $d/run; done`)
		j.InputDir = "/src"
		return t.prints(j, "in /workspace\nin /tmp\nin /src\n")
	},
}, {
	Name:    "network/none",
	Promise: `On network "none" there is the loopback alone.`,
	check:   func(t trial) error { return t.prints(t.shell("ls /sys/class/net"), "lo\n") },
}, {
	Name:    "network/bridge",
	Promise: `The default network is "bridge".`,
	check: func(t trial) error {
		j := t.shell("ls /sys/class/net")
		j.Limits.Network = ""
		return t.prints(j, "eth0\nlo\n")
	},
}}

var hardeningCases = []Case{{
	Name:    "hardening/user",
	Promise: "The command is user and group 65532, and in no other group.",
	check:   func(t trial) error { return t.prints(t.shell("id -u; id -g; id -G"), "65532\n65532\n65532\n") },
}, {
	Name:    "hardening/capabilities",
	Promise: "The command has no capabilities and cannot get any.",
	check: func(t trial) error {
		const none = "0000000000000000\n"
		return t.prints(t.shell("grep ^Cap /proc/self/status"),
			"CapInh:\t"+none+"CapPrm:\t"+none+"CapEff:\t"+none+"CapBnd:\t"+none+"CapAmb:\t"+none)
	},
}, {
	Name:    "hardening/no-new-privileges",
	Promise: "A program that is executed gets no privileges, whatever its permission bits.",
	check: func(t trial) error {
		return t.prints(t.shell("grep ^NoNewPrivs: /proc/self/status"), "NoNewPrivs:\t1\n")
	},
}, {
	Name:    "hardening/seccomp",
	Promise: "System calls are filtered.",
	check:   func(t trial) error { return t.prints(t.shell("grep ^Seccomp: /proc/self/status"), "Seccomp:\t2\n") },
}, {
	Name:    "hardening/read-only-root",
	Promise: "The image's files cannot be changed.",
	check: func(t trial) error {
		res, err := t.do(t.shell("exec 2>&1; touch /x"))
		return errors.Join(noError(err), equal("exit status", res.ExitCode, 1),
			equal(fmt.Sprintf("output %q has a reason", res.Logs), strings.Contains(string(res.Logs), "Read-only file system"), true))
	},
}, {
	Name:    "hardening/processes",
	Promise: "The command sees no processes but an init, PID 1, and its own.",
	check: func(t trial) error {
		return t.prints(t.shell(`echo $PPID; set -- /proc/[0-9]*; echo $#`), "1\n2\n")
	},
}, {
	Name:    "hardening/resource-limits",
	Promise: "There are no core dumps, and 1024 open files that can be raised to 4096.",
	check:   func(t trial) error { return t.prints(t.shell("ulimit -c; ulimit -n; ulimit -Hn"), "0\n1024\n4096\n") },
}}

var validationCases = []Case{{
	Name:    "validation/all-at-once",
	Promise: "A bad job is refused with all its problems, each with its field, and nothing runs.",
	check: func(t trial) error {
		res, err := t.do(sandbox.Job{
			Image: t.image, WorkDir: "src", Env: map[string]string{"A=B": "C"}, Collect: []string{"out"},
			Limits: sandbox.Limits{MemoryMB: 1, PIDs: 1, Network: "host"},
		})
		errs := []error{step(err, sandbox.OpValidate), equal("Result", res, sandbox.Result{ExitCode: -1})}
		for _, field := range []string{"Cmd", "WorkDir", "Env", "Collect[0]", "Limits.MemoryMB", "Limits.PIDs", "Limits.Network"} {
			errs = append(errs, equal(fmt.Sprintf("error %v names %s", err, field), err != nil && strings.Contains(err.Error(), field), true))
		}
		return errors.Join(errs...)
	},
}, {
	Name:    "validation/mounts",
	Promise: "What would give the command power over the host cannot be mounted.",
	check: func(t trial) error {
		var errs []error
		for _, source := range []string{"/", "/proc", "/sys/fs", "/dev", "/var/run/docker.sock"} {
			j := t.shell("echo ran")
			j.Mounts = []sandbox.Mount{{Source: source, Target: "/m", ReadOnly: true}}
			res, err := t.do(j)
			errs = append(errs, step(err, sandbox.OpValidate), equal("Result", res, sandbox.Result{ExitCode: -1}))
		}
		return errors.Join(errs...)
	},
}}
