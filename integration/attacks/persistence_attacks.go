package attacks

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/container"
)

var persistenceAttacks = []Attack{
	lasts("files", "leaves files in every directory, the image's too", "a later run finds none"),
	lasts("shm", "leaves shared memory, semaphores and queues of System V", "a later run finds none"),
	lasts("mqueue", "leaves a message queue", "a later run finds none"),
	lasts("key", "leaves a key in the user's keyring", "a later run finds none"),
	{
		Name: "process", Tries: "leaves a process in a session of its own", Seen: "it is gone from the host when the run is over",
		try: func(a *attackEnv) []string {
			token, id := newToken(), ""
			a.beside(a.job(), "daemon,"+token, "nothing", func() {
				id = a.containerOf(token)
				if len(processes(token, id)) == 0 {
					a.t.Fatal("the processes of the engine cannot be seen from here")
				}
			})
			return processes(token, id)
		},
	},
	{
		Name: "image", Tries: "writes over its own program", Seen: "a later run has the same image and program",
		try: func(a *attackEnv) []string {
			first := a.do(a.job("write-root"))
			a.parse(string(first.Logs), true)
			second := a.do(a.job("nothing"))
			won := differs("ImageID", second.ImageID, first.ImageID)
			return append(won, differs("output", string(second.Logs), "done\n")...)
		},
	},
}

// lasts is an attack in which one run leaves what another one finds.
func lasts(what, tries, seen string) Attack {
	return Attack{Name: what, Tries: tries, Seen: seen, try: func(a *attackEnv) []string {
		token := newToken()
		a.ask(a.job("leave-"+what, token))
		return a.wins(a.job("find-"+what, token))
	}}
}

// containerOf is the ID of the container that runs a command with the token.
func (a *attackEnv) containerOf(token string) string {
	a.t.Helper()
	list, err := a.api.ContainerList(a.ctx, container.ListOptions{All: true}) // it may not be listed as running yet
	if err != nil {
		a.t.Fatal(err)
	}
	for _, c := range list {
		if strings.Contains(c.Command, token) {
			return c.ID
		}
	}
	a.t.Fatalf("no container runs %s", token)
	return ""
}

// processes are those on this machine with the token as an argument of their own,
// and those that the runtime has for the container: some hide what runs in it.
func processes(token, id string) (found []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err == nil && (strings.Contains(string(content), "never-end\x00"+token) || strings.Contains(string(content), id)) {
			found = append(found, path)
		}
	}
	return found
}
