package attacks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
)

var persistenceAttacks = []Attack{
	leaveAttack("files", "leaves files in every directory, those of the image too"),
	leaveAttack("shm", "leaves System V shared memory, semaphores and queues"),
	leaveAttack("mqueue", "leaves a message queue"),
	leaveAttack("key", "leaves a key in the keyring of its user"),
	{
		Name: "process", Tries: "leaves a process in a session of its own", Expected: "the host has no such process when the run is over",
		attempt: func(e *attackEnv) []string {
			token, id := newToken(), ""
			e.duringOtherRun(e.job(), "daemon,"+token, "nothing", func() {
				id = e.containerOf(token)
				if len(processesOf(token, id)) == 0 {
					e.abort("this process does not see the processes of the engine")
				}
			})
			return processesOf(token, id)
		},
	},
	{
		Name: "image", Tries: "overwrites its own program", Expected: "a later run has the same image and program",
		attempt: func(e *attackEnv) []string {
			first := e.result(e.job("write-root"))
			e.report(first.Logs)
			second := e.result(e.job("nothing"))
			return slices.Concat(
				mismatch("ImageID", second.ImageID, first.ImageID),
				mismatch("the output", string(second.Logs), "done\n"))
		},
	},
}

// leaveAttack is an attack in which one run leaves something for a later one.
func leaveAttack(what, tries string) Attack {
	return Attack{Name: what, Tries: tries, Expected: "a later run finds none", attempt: func(e *attackEnv) []string {
		token := newToken()
		e.ask(e.job("leave-"+what, token))
		return e.got(e.job("find-"+what, token))
	}}
}

// containerOf returns the ID of the container whose command has the token.
func (e *attackEnv) containerOf(token string) string {
	list, err := e.api.ContainerList(e.ctx, container.ListOptions{All: true}) // the engine may not list it as running yet
	e.abortOn(err)
	for _, c := range list {
		if strings.Contains(c.Command, token) {
			return c.ID
		}
	}
	e.abort("no container runs %s", token)
	return ""
}

// processesOf lists the processes on this machine that have the token as an argument,
// and those of the runtime for the container: some runtimes hide what runs inside.
func processesOf(token, id string) (found []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err == nil && (strings.Contains(string(content), "never-end\x00"+token) || strings.Contains(string(content), id)) {
			found = append(found, path)
		}
	}
	return found
}
