//go:build docker

package fleet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/certtest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// exampleConfig is the configuration of a server with an operator, workers and two clients.
func exampleConfig(t testing.TB) string {
	user := func(name, variable string, p *Permissions) string {
		text := fmt.Sprintf("  { user: %s, password: $%s", name, variable)
		if p != nil {
			text += ", permissions: " + strings.ReplaceAll(p.String(), "\n", "\n    ")
		}
		return text + " }\n"
	}
	alice, err := ClientPermissions("alice")
	require.NoError(t, err)
	bob, err := ClientPermissions("bob")
	require.NoError(t, err)
	worker, err := WorkerPermissions("alice", "bob")
	require.NoError(t, err)
	return `# The NATS server of a fleet with two clients, who see nothing of each other. The passwords come
# from the environment; NATS also knows keys, tokens and JWTs. After a change of what
# ClientPermissions or WorkerPermissions return, a test of module fleet makes this file again.

listen: "127.0.0.1:4222" # other machines need another address, and then TLS
# tls { cert_file: "/etc/nats/server.pem", key_file: "/etc/nats/server-key.pem" }

jetstream {
  store_dir: "/var/lib/nats"
  # sync_interval: always # for jobs that must outlive a power failure; see docs/fleet.md
}

authorization { users = [
  # It calls fleet.Provision and fleet.Status.
` + user("operator", "OPERATOR_PASSWORD", nil) + user("worker", "WORKER_PASSWORD", &worker) +
		user("alice", "ALICE_PASSWORD", &alice) + user("bob", "BOB_PASSWORD", &bob) + "] }\n"
}

const exampleFile = "../docs/fleet/nats-server.conf"

func TestExampleConfiguration(t *testing.T) {
	if os.Getenv("UPDATE_FLEET_EXAMPLE") != "" {
		require.NoError(t, os.WriteFile(exampleFile, []byte(exampleConfig(t)), 0o644))
	}
	text, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	require.Equal(t, exampleConfig(t), string(text), "UPDATE_FLEET_EXAMPLE=1 makes it again")
}

// secured starts a server as the example has it, with TLS, and returns a function that connects
// a user.
func secured(t *testing.T) func(user string) *nats.Conn {
	t.Helper()
	dir := t.TempDir()
	for _, user := range []string{"OPERATOR", "WORKER", "ALICE", "BOB"} {
		t.Setenv(user+"_PASSWORD", "of-"+strings.ToLower(user))
	}
	text, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	config := strings.NewReplacer("127.0.0.1:4222", "127.0.0.1:-1", "/var/lib/nats", dir).Replace(string(text))
	file := filepath.Join(dir, "nats-server.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	o, err := server.ProcessConfigFile(file)
	require.NoError(t, err)
	o.NoSigs = true
	certificates := certtest.New(t)
	o.TLSConfig = certificates.Server
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	require.True(t, s.ReadyForConnections(10*time.Second))
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return func(user string) *nats.Conn {
		in := func(name string) string { return filepath.Join(certificates.Dir, name) }
		o := []nats.Option{nats.UserInfo(user, "of-"+user), nats.RootCAs(in("ca.pem")), nats.ClientCert(in("cert.pem"), in("key.pem"))}
		if user == "alice" || user == "bob" {
			o = append(o, nats.CustomInboxPrefix(InboxPrefix(user)))
		}
		return connect(t, s.ClientURL(), o...)
	}
}

// What the permissions grant is enough for all that a client and a worker do, and nothing of a
// client's can be read, changed or cancelled by another one.
func TestPermissions(t *testing.T) {
	as := secured(t)
	require.NoError(t, Provision(t.Context(), as("operator"), Config{Clients: []string{"alice", "bob"}}))
	g := &ground{t: t, gate: t.TempDir(), nc: as("operator")}
	worker := as("worker")
	g.start(worker, WorkerOptions{Name: "one"})
	nc := as("alice")
	alice, err := NewClient(nc, Options{Name: "alice"})
	require.NoError(t, err)

	j := shell("cat; cat /workspace/in | tee /workspace/out")
	j.Collect = []string{"/workspace/out"}
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: strings.Repeat("x", 1<<20)}))
	var stdout bytes.Buffer
	j.Stdin, j.Stdout = strings.NewReader("stdin"), &stdout
	res, err := alice.RunOnce(WithID(t.Context(), "first"), j)
	require.NoError(t, err)
	require.Len(t, res.Artifacts["/workspace/out"], 1<<20)
	require.Equal(t, string(res.Logs), stdout.String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = alice.RunOnce(ctx, shell("sleep 60"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, nc.LastError())
	require.NoError(t, worker.LastError())

	running := begin(WithID(t.Context(), "second"), alice, g.gated("echo ran"))
	g.running("one")
	bob := as("bob")
	for _, subject := range []string{
		jobSubject("default", "alice", "x"), cancelSubject("alice", "second"), doneSubject("alice", "second"), "sandbox.live.alice.second.x.stdout",
		statusSubject, "$KV.sandbox-alice.result.second", "$O.sandbox-alice.M.x", "$O.sandbox-alice.C.x",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.x", "$JS.API.STREAM.DELETE.KV_sandbox-alice",
		"$JS.API.STREAM.INFO." + jobsStream, "$JS.API.STREAM.MSG.GET." + jobsStream, "$JS.API.DIRECT.GET." + jobsStream,
		"$JS.API.CONSUMER.CREATE." + jobsStream + ".x", "$JS.API.CONSUMER.MSG.NEXT." + jobsStream + ".default", "$JS.ACK." + jobsStream + ".x",
		"$JS.API.STREAM.INFO.KV_sandbox-alice", "$JS.API.STREAM.INFO.OBJ_sandbox-alice", "$JS.API.DIRECT.GET.KV_sandbox-alice.x",
		"$JS.API.DIRECT.GET.OBJ_sandbox-alice.x", "$JS.API.STREAM.MSG.GET.KV_sandbox-alice", "$JS.API.STREAM.PURGE.OBJ_sandbox-alice",
		"$JS.API.CONSUMER.CREATE.OBJ_sandbox-alice.x", "$JS.API.CONSUMER.CREATE.OBJ_sandbox-bob.x", "$JS.API.CONSUMER.CREATE.KV_sandbox-bob.x", "$JS.API.CONSUMER.CREATE.KV_sandbox-alice.x", "_INBOX_alice.x", "_INBOX.x",
	} {
		require.NoError(t, bob.Publish(subject, nil))
		require.NoError(t, bob.Flush())
		require.ErrorContains(t, bob.LastError(), fmt.Sprintf("Permissions Violation for Publish to %q", subject))
	}
	for _, subject := range []string{
		">", "*", "sandbox.>", "sandbox.job.>", "sandbox.live.alice.>", "sandbox.done.>", "sandbox.done.alice.*", "sandbox.cancel.>",
		"_INBOX.>", "_INBOX_alice.>", "$KV.sandbox-alice.>", "$O.sandbox-alice.>", "$JS.>", "$SYS.>",
	} {
		_, err := bob.Subscribe(subject, func(m *nats.Msg) { t.Errorf("bob reads %s", m.Subject) })
		require.NoError(t, err)
		require.NoError(t, bob.Flush())
		require.ErrorContains(t, bob.LastError(), fmt.Sprintf("Permissions Violation for Subscription to %q", subject))
	}
	c, err := NewClient(bob, Options{Name: "alice"})
	require.NoError(t, err)
	ctx, cancel = context.WithTimeout(WithID(t.Context(), "first"), 2*time.Second)
	defer cancel()
	res, err = c.RunOnce(ctx, j)
	require.Error(t, err, "bob comes back with the ID of a job of alice's")
	require.Nil(t, res.Artifacts)
	_, err = nats.Connect(bob.ConnectedUrl(), nats.UserInfo("alice", "guessed"))
	require.Error(t, err)
	g.open()
	end := <-running
	require.NoError(t, end.err)
	require.Equal(t, "ran\n", string(end.res.Logs))
}
