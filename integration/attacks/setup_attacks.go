package attacks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/synchestra-io/sandbox"
)

// Attacks of a Setup on the host, and on the Cmd that comes after it. What a Setup leaves
// decides nothing of where the engine mounts for Cmd, on its host or in the container. The
// host has a directory with a file of a name that nobody else has, written SECRET here.
var setupAttacks = []Attack{
	setupAttack("nested-input", "moves what is above the input's directory, and puts a link to the host there",
		func(j *sandbox.Job) { j.InputDir = "/workspace/a/b" },
		"move,/workspace/a,/workspace/c", "directory,/workspace/a", "link,/workspace/a/b,SECRET"),
	setupAttack("nested-input-above", "puts a link to the host above the input's directory",
		func(j *sandbox.Job) { j.InputDir = "/workspace/a/b" }, "move,/workspace/a,/workspace/c", "link,/workspace/a,SECRET/.."),
	setupAttack("nested-disk", "does the same with Limits.DiskMB, where the engine looks up each directory on its host",
		func(j *sandbox.Job) { j.InputDir, j.Limits.DiskMB = "/workspace/a/b", 8 },
		"move,/workspace/a,/workspace/c", "directory,/workspace/a", "link,/workspace/a/b,SECRET"),
	setupAttack("nested-disk-above", "does the same above that directory",
		func(j *sandbox.Job) { j.InputDir, j.Limits.DiskMB = "/workspace/a/b", 8 }, "move,/workspace/a,/workspace/c", "link,/workspace/a,SECRET/.."),
	setupAttack("disk-root", "puts a link to the host in place of all that it can reach of the disk",
		func(j *sandbox.Job) { j.Limits.DiskMB = 8 }, "link,/workspace/x,SECRET", "link,/tmp/x,SECRET", "link,/dev/shm/x,SECRET"),
	setupAttack("collect", "puts a link to the host where Cmd's artifacts are collected",
		func(j *sandbox.Job) { j.Collect = []string{"/workspace/z"} }, "link,/workspace/z,SECRET"),
	setupAttack("collect-above", "puts such a link above that",
		func(j *sandbox.Job) { j.Collect = []string{"/workspace/x/y"} }, "link,/workspace/x,SECRET/.."),
	{
		Name: "mount", Tries: "hides a mount of Cmd's, with links at it and above it, and puts a forged file there",
		Expected: "no run, or the mount at its place",
		attempt: func(e *attackEnv) (got []string) {
			dir, token := e.secret()
			for name, steps := range map[string][]string{
				"directories": {"directory,/workspace/a/b", "file,/workspace/a/b/" + token},
				"a link":      {"directory,/workspace/a", "directory,/workspace/d", "file,/workspace/d/" + token, "link,/workspace/a/b,../d"},
				"above it":    {"directory,/workspace/d/b", "file,/workspace/d/b/" + token, "link,/workspace/a,d"},
			} {
				j := e.job("file-is", "/workspace/a/b/"+token, "secret")
				j.Mounts = []sandbox.Mount{{Source: dir, Target: "/workspace/a/b", ReadOnly: true}}
				if res, ran := e.afterSetup(j, append([]string{"move,/workspace/a,/workspace/c"}, steps...)); ran {
					for _, g := range e.report(res.Logs)["got"] {
						got = append(got, name+": "+g)
					}
				}
			}
			return got
		},
	},
	{
		Name: "workdir", Tries: "makes Cmd's working directory a link to a descriptor of the runtime (CVE-2024-21626)",
		Expected: "no run, or a directory inside the container",
		attempt: func(e *attackEnv) (got []string) {
			for _, fd := range []int{3, 7, 8, 9} {
				j := e.job("descriptors")
				j.WorkDir = "/workspace/w"
				if res, ran := e.afterSetup(j, []string{"move,/workspace/w,/workspace/x", fmt.Sprintf("link,/workspace/w,/proc/self/fd/%d", fd)}); ran && res.ExitCode == 0 {
					got = append(got, e.report(res.Logs)["got"]...)
				}
			}
			return got
		},
	},
	{
		Name: "network", Tries: "has a network, and connects from Cmd", Expected: "Cmd has only the loopback",
		attempt: func(e *attackEnv) []string {
			j := e.job("each", "interfaces", "connect,tcp/172.17.0.1:80", "raw-sockets")
			j.Setup = sandbox.Setup{Cmd: []string{"/probe", "nothing"}, Network: "bridge"}
			return e.got(j)
		},
	},
	{
		Name: "confinement", Tries: "does in Setup what the other attacks do in Cmd: mounts, namespaces, devices, privileges, sockets",
		Expected: "nothing more than Cmd gets",
		attempt: func(e *attackEnv) []string {
			j := e.job("nothing")
			attempts := []string{"mount", "remount", "user-namespace", "namespaces", "open-by-handle", "mknod", "write-sys", "write-root",
				"bpf", "keyring", "setuid-calls", "setuid-file", "raw-sockets", "socket-families"}
			if !e.gvisor { // whose kernel gives devices of its own to Cmd as well
				attempts = append(attempts, "devices")
			}
			j.Setup = sandbox.Setup{Network: "none", Timeout: j.Limits.Timeout, Cmd: append([]string{"/probe", "each"}, attempts...)}
			return e.report(e.result(j).SetupLogs)["got"]
		},
	},
}

func setupAttack(name, tries string, edit func(*sandbox.Job), steps ...string) Attack {
	return Attack{
		Name: name, Tries: tries, Expected: "no run, or nothing of the host in the container and among the artifacts",
		attempt: func(e *attackEnv) (got []string) {
			dir, token := e.secret()
			j := e.job("find-name", token)
			edit(&j)
			res, ran := e.afterSetup(j, within(steps, dir))
			if !ran {
				return nil
			}
			for path := range res.Artifacts {
				got = append(got, "the artifact "+path)
			}
			return append(got, e.report(res.Logs)["got"]...)
		},
	}
}

// secret makes the host's directory, and returns its path and the name of the file in it.
func (e *attackEnv) secret() (dir, token string) {
	dir, err := os.MkdirTemp(e.dir, "secret")
	e.abortOn(err)
	token = newToken()
	e.abortOn(errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, token), []byte("secret"), 0o644)))
	return dir, token
}

func within(steps []string, secret string) (list []string) {
	for _, s := range steps {
		list = append(list, strings.ReplaceAll(s, "SECRET", secret))
	}
	return list
}

// afterSetup runs a job after a Setup that plants what steps say, and tells whether the job
// ran.
func (e *attackEnv) afterSetup(j sandbox.Job, steps []string) (res sandbox.Result, ran bool) {
	j.Setup = sandbox.Setup{Cmd: append([]string{"/probe", "plant"}, steps...), Network: "none", Timeout: j.Limits.Timeout}
	res, err := e.run(e.ctx, j)
	e.logf("%q, then %q: %v\n%s%s", j.Setup.Cmd, j.Cmd, err, res.SetupLogs, res.Logs)
	if errors.Is(err, sandbox.ErrUnsupported) {
		return res, false // nothing runs where it could not be looked at
	}
	if res.SetupFailed || len(e.report(res.SetupLogs)["looked"]) != len(steps) {
		e.abort("Setup came to no end: %v\n%s", err, res.SetupLogs)
	}
	var refused *sandbox.Error
	if err != nil && (!errors.As(err, &refused) || refused.Op != sandbox.OpStage || !strings.Contains(err.Error(), "symbolic link")) {
		e.abort("it is not what Setup left that was refused: %v", err)
	}
	return res, err == nil
}
