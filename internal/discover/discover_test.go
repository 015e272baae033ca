package discover

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// computer sets up an environment without any engine: an empty configuration and a
// directory for sockets. It returns both.
func computer(t *testing.T) (config, run string) {
	t.Helper()
	home := t.TempDir()
	config, run = filepath.Join(home, ".docker"), filepath.Join(home, "run")
	require.NoError(t, os.MkdirAll(filepath.Join(run, "podman"), 0o755))
	require.NoError(t, os.Mkdir(config, 0o755))
	for name, value := range map[string]string{
		"HOME": home, "XDG_RUNTIME_DIR": run,
		"DOCKER_HOST": "", "DOCKER_CONTEXT": "", "DOCKER_CONFIG": "",
	} {
		t.Setenv(name, value)
	}
	return config, run
}

// store writes a context as the docker command does.
func store(t *testing.T, config, name, metadata string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(config, "contexts/meta", hex.EncodeToString(sum[:]))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "meta.json"), []byte(metadata), 0o644))
}

func endpoint(name, host string) string {
	return fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":{"Host":%q,"SkipTLSVerify":false}}}`, name, host)
}

func current(t *testing.T, config, name string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(config, "config.json"), fmt.Appendf(nil, `{"currentContext":%q}`, name), 0o644))
}

// The order of precedence is that of the docker command. Each case sets one thing more
// than the one before, and it wins.
func TestPrecedence(t *testing.T) {
	config, _ := computer(t)
	find := func(r Request) string {
		e, err := Find(r)
		require.NoError(t, err)
		return e.Host
	}
	for _, name := range []string{"current", "env", "option"} {
		store(t, config, name, endpoint(name, "tcp://"+name+":2375"))
	}
	current(t, config, "current")
	require.Equal(t, "tcp://current:2375", find(Request{}))
	t.Setenv("DOCKER_CONTEXT", "env")
	require.Equal(t, "tcp://env:2375", find(Request{}))
	t.Setenv("DOCKER_HOST", "tcp://host:2375")
	require.Equal(t, "tcp://host:2375", find(Request{}))
	require.Equal(t, "tcp://host:2375", find(Request{Context: "default"}))
	require.Equal(t, "tcp://option:2375", find(Request{Context: "option"}))
	require.Equal(t, "tcp://mine:2375", find(Request{Host: "tcp://mine:2375"}))
	_, err := Find(Request{Host: "tcp://mine:2375", Context: "option"})
	require.ErrorContains(t, err, `Options.Host "tcp://mine:2375" and Options.Context "option" exclude each other`)

	t.Setenv("DOCKER_HOST", "")
	require.NotContains(t, find(Request{Context: "default"}), "2375", "the context default ignores all others")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	_, err = Find(Request{})
	require.ErrorContains(t, err, `docker context "env" (DOCKER_CONTEXT): it does not exist; there are ["default"]`)
}

// Without a choice it is the first socket that exists, and the docker command's own if
// none does.
func TestLocalSockets(t *testing.T) {
	_, run := computer(t)
	var of []string
	for _, p := range localPlaces() {
		of = append(of, p.of)
	}
	require.Equal(t, []string{"Docker", "rootless Docker", "Docker Desktop", "rootless Podman", "Podman"}, of)
	require.Equal(t, "/var/run/docker.sock", localPlaces()[0].path)
	require.Equal(t, filepath.Join(run, "docker.sock"), localPlaces()[1].path)

	places := []place{{"first", filepath.Join(run, "1.sock")}, {"second", filepath.Join(run, "2.sock")}, {"third", filepath.Join(run, "3.sock")}}
	e, err := find(Request{}, places)
	require.NoError(t, err)
	require.Equal(t, "unix://"+places[0].path, e.Host)
	require.Equal(t, []string{
		"unix://" + places[0].path + " (first): does not exist", "unix://" + places[1].path + " (second): does not exist",
		"unix://" + places[2].path + " (third): does not exist",
	}, e.tried)
	for _, p := range []place{places[2], places[1], places[0]} {
		require.NoError(t, os.WriteFile(p.path, nil, 0o644))
		e, err := find(Request{}, places)
		require.NoError(t, err)
		require.Equal(t, "unix://"+p.path, e.Host)
		require.Empty(t, e.tried)
	}
}

// What was chosen and cannot be had is an error that names it, and nothing else is tried.
func TestChosenAndWrong(t *testing.T) {
	config, _ := computer(t)
	store(t, config, "damaged", "{")
	store(t, config, "swarm", `{"Name":"swarm","Endpoints":{"kubernetes":{"Host":"https://k"}}}`)
	for name, want := range map[string]string{
		"absent":    `docker context "absent" (the current context in ` + config + `/config.json): it does not exist; there are ["default" "swarm"]`,
		"damaged":   "its metadata is damaged",
		"swarm":     "it names no Docker engine",
		"../../etc": "it does not exist",
	} {
		current(t, config, name)
		_, err := Find(Request{})
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(filepath.Join(config, "config.json"), []byte("{"), 0o644))
	_, err := Find(Request{})
	require.ErrorContains(t, err, config+"/config.json")
	require.ErrorContains(t, err, "repair it, or set DOCKER_HOST")
	_, err = Find(Request{Host: "tcp://mine:2375"})
	require.NoError(t, err, "what is not needed is not read")
}

// One error says what was tried, why it failed, and what to do.
func TestExplain(t *testing.T) {
	_, run := computer(t)
	reach := func(r Request) error {
		e, err := Find(r)
		require.NoError(t, err)
		_, err = net.Dial("unix", strings.TrimPrefix(e.Host, "unix://"))
		require.Error(t, err)
		return e.Explain(err, true)
	}
	socket := filepath.Join(run, "engine.sock")
	require.ErrorContains(t, reach(Request{Host: "unix://" + socket}), "(chosen by Options.Host); the socket does not exist: start the engine")
	require.NoError(t, os.WriteFile(socket, nil, 0o644))
	require.ErrorContains(t, reach(Request{Host: "unix://" + socket}), "that is not a socket")
	require.NoError(t, os.Remove(socket))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	require.NoError(t, err)
	listener.SetUnlinkOnClose(false)
	require.NoError(t, listener.Close())
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	require.ErrorContains(t, reach(Request{}), "(chosen by DOCKER_HOST); nobody listens at the socket: start the engine")

	file := filepath.Join(run, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	t.Setenv("DOCKER_HOST", "")
	e, err := find(Request{}, []place{{"Docker", filepath.Join(run, "none.sock")}, {"Podman", file + "/podman.sock"}})
	require.NoError(t, err)
	text := e.Explain(errors.New("no answer"), true).Error()
	require.Contains(t, text, "nor DOCKER_HOST, nor DOCKER_CONTEXT")
	require.Contains(t, text, "none.sock (Docker): does not exist")
	require.Contains(t, text, "podman.sock (Podman): does not exist")
	require.True(t, strings.HasSuffix(text, "start an engine, or name one by DOCKER_HOST or a docker context"))

	require.Equal(t, "too old (chosen by the default)", e.Explain(errors.New("too old"), false).Error())
	refused := fmt.Errorf("dial: %w", syscall.EACCES)
	require.Contains(t, advice("unix://"+socket, refused), "group docker")
}
