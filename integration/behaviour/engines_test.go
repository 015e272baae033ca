//go:build docker

package behaviour_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// noChoice takes away what chooses the engine of the tests, and gives the docker command
// an empty configuration.
func noChoice(t *testing.T) {
	t.Helper()
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"} {
		t.Setenv(name, "")
	}
	t.Setenv("DOCKER_CONFIG", t.TempDir())
}

// docker runs the docker command.
func docker(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	require.NoError(t, err, "docker %q: %s", args, out)
}

// requireWorks runs a job with all that a way to an engine must carry: an upload, stdin,
// output and a download.
func requireWorks(t *testing.T, o sandbox.Options) {
	t.Helper()
	r, err := sandbox.New(o)
	require.NoError(t, err)
	j := runtest.Shell("cat; cat /workspace/in; tr a-z A-Z </workspace/in >/workspace/out")
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input\n"}))
	j.Stdin, j.Collect = strings.NewReader("said\n"), []string{"/workspace/out"}
	res, id, err := runtest.RunWith(t.Context(), r, j)
	require.NoError(t, err)
	require.Equal(t, "said\ninput\n", string(res.Logs))
	require.Equal(t, map[string]string{"/workspace/out": "INPUT\n"}, texts(res))
	enginetest.AssertNothingLeft(t, id)
	require.NoError(t, r.Close())
}

// requireRefuses checks the error of an address that leads nowhere.
func requireRefuses(t *testing.T, o sandbox.Options, texts ...string) {
	t.Helper()
	r, err := sandbox.New(o)
	if err == nil {
		_, err = r.RunOnce(t.Context(), runtest.Shell("true"))
		require.NoError(t, r.Close())
	}
	require.Error(t, err)
	for _, text := range texts {
		require.ErrorContains(t, err, text)
	}
}

// Contexts are read as the docker command writes them.
func TestEngineOfAContext(t *testing.T) {
	noChoice(t)
	docker(t, "context", "create", "socket", "--docker", "host="+enginetest.Host())
	requireWorks(t, sandbox.Options{Context: "socket"})
	docker(t, "context", "use", "socket")
	requireWorks(t, sandbox.Options{})
	t.Setenv("DOCKER_TLS_VERIFY", "1") // which is not about contexts
	requireWorks(t, sandbox.Options{})
	t.Setenv("DOCKER_CERT_PATH", "/nonexistent")
	requireWorks(t, sandbox.Options{})
	t.Setenv("DOCKER_TLS_VERIFY", "")
	t.Setenv("DOCKER_CERT_PATH", "")

	docker(t, "context", "create", "gone", "--docker", "host=unix:///no/engine.sock")
	t.Setenv("DOCKER_CONTEXT", "gone")
	requireRefuses(t, sandbox.Options{}, "unix:///no/engine.sock", `docker context "gone", DOCKER_CONTEXT`, "the socket does not exist")
	t.Setenv("DOCKER_CONTEXT", "scoket")
	requireRefuses(t, sandbox.Options{}, `docker context "scoket" (DOCKER_CONTEXT): it does not exist; there are ["default" "gone" "socket"]`)
}

// TLS with a client's certificate, from the environment and from a context.
func TestEngineOverTLS(t *testing.T) {
	noChoice(t)
	u := enginetest.NewTunnel(t)
	host := "tcp://" + u.Addr
	file := func(name string) string { return filepath.Join(u.Certs, name) }
	docker(t, "context", "create", "secure", "--docker",
		"host="+host+",ca="+file("ca.pem")+",cert="+file("cert.pem")+",key="+file("key.pem"))
	requireWorks(t, sandbox.Options{Context: "secure"})
	docker(t, "context", "create", "stranger", "--docker", "host="+host+",ca="+file("ca.pem"))
	requireRefuses(t, sandbox.Options{Context: "stranger"}, host, `docker context "stranger"`)

	t.Setenv("DOCKER_HOST", host)
	requireRefuses(t, sandbox.Options{}, host, "DOCKER_HOST")
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	t.Setenv("DOCKER_CERT_PATH", u.Certs)
	requireWorks(t, sandbox.Options{})
	require.NoError(t, os.Remove(file("ca.pem")))
	requireRefuses(t, sandbox.Options{}, "ca.pem")
}

// An engine behind an SSH server, by an address and by a context. The ssh command reads
// its own configuration.
func TestEngineOverSSH(t *testing.T) {
	noChoice(t)
	enginetest.CheckGoroutines(t)
	addr := enginetest.StartSSHD(t)
	host := "ssh://root@" + addr + strings.TrimPrefix(enginetest.Host(), "unix://")
	requireWorks(t, sandbox.Options{Host: host})
	docker(t, "context", "create", "remote", "--docker", "host="+host)
	docker(t, "context", "use", "remote")
	requireWorks(t, sandbox.Options{})
	j := runtest.Shell("true")
	socket := strings.TrimPrefix(enginetest.Host(), "unix://")
	j.Mounts = []sandbox.Mount{{Source: socket, Target: "/sock", ReadOnly: true}}
	r, err := sandbox.New(sandbox.Options{Host: host})
	require.NoError(t, err)
	_, err = r.RunOnce(t.Context(), j)
	require.ErrorContains(t, err, "would expose "+socket)
	require.NoError(t, r.Close())
	requireRefuses(t, sandbox.Options{Host: "ssh://root@" + addr + "/no/engine.sock"}, "/no/engine.sock", "Options.Host")
	requireRefuses(t, sandbox.Options{Host: "ssh://nobody@127.0.0.1:1"}, "ssh://nobody@127.0.0.1:1")
}
