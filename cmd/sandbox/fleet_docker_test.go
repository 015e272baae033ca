//go:build docker

package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// service starts a command line that ends with a signal, and returns what it says. The function
// stops it, and returns its exit status.
func service(t *testing.T, args ...string) (said *screen, stop func() int) {
	t.Helper()
	c := start(t, t.TempDir(), args...)
	c.Env = append(c.Env, "NATS_PASSWORD=of-operator", "OPERATOR_PASSWORD=of-operator", "WORKER_PASSWORD=of-worker", "ALICE_PASSWORD=of-alice", "BOB_PASSWORD=of-bob")
	r, w := io.Pipe()
	c.Stderr, c.Stdout = w, w
	require.NoError(t, c.Start())
	ended := make(chan struct{})
	go func() { c.Wait(); w.Close(); close(ended) }()
	t.Cleanup(func() { c.Process.Kill(); <-ended })
	return newScreen(r), func() int {
		require.NoError(t, c.Process.Signal(syscall.SIGTERM))
		<-ended
		return c.ProcessState.ExitCode()
	}
}

// A server with a worker, and one more worker, run a job, say how they are, and end with a signal.
func TestFleet(t *testing.T) {
	store := t.TempDir()
	config, err := os.ReadFile("../../docs/fleet/nats-server.conf")
	require.NoError(t, err)
	file := filepath.Join(store, "nats-server.conf")
	text := strings.NewReplacer("127.0.0.1:4222", "127.0.0.1:-1", "/var/lib/nats", store).Replace(string(config))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	said, stop := service(t, "fleet", "serve", "--config", file, "--user", "operator", "--client", "alice", "--client", "bob", "--name", "one", "--concurrency", "1")
	said.await(t, "taking jobs of queue default from this server")
	url := regexp.MustCompile(`nats://[0-9.:]+`).FindString(said.String())

	nc, err := nats.Connect(url, nats.UserInfo("alice", "of-alice"), nats.CustomInboxPrefix(fleet.InboxPrefix("alice")))
	require.NoError(t, err)
	defer nc.Close()
	client, err := fleet.NewClient(nc, fleet.Options{Name: "alice"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j := sandbox.Job{Image: enginetest.Busybox(), Cmd: []string{"sh", "-c", "echo ran; read x"}, Limits: sandbox.Limits{Network: "none"}}
	hold, release := io.Pipe()
	j.Stdin = hold
	result := make(chan error, 1)
	go func() { _, err := client.RunOnce(fleet.WithID(ctx, "job-1"), j); result <- err }()
	said.awaitStatus(t, url, "worker one: queue default, 1 of 1 jobs", "job-1 of alice, for ")

	otherSaid, stopOther := service(t, "fleet", "worker", "--nats", url, "--user", "operator", "--name", "two")
	otherSaid.await(t, "taking jobs of queue default from "+url)
	said.awaitStatus(t, url, "worker two: queue default, 0 of ")
	require.Zero(t, stopOther())
	require.NoError(t, release.Close())
	require.NoError(t, <-result)
	said.await(t, "outcome=done")
	said.awaitStatus(t, url, "no job waits or runs", "worker one: queue default, 0 of 1 jobs")
	require.Zero(t, stop())
	nothingLeft(t)
}

// awaitStatus waits until the status says all of that.
func (s *screen) awaitStatus(t *testing.T, url string, want ...string) {
	t.Helper()
	var out string
	for end := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		c := exec.Command(built(), "fleet", "status", "--nats", url, "--user", "operator")
		c.Env = append(os.Environ(), "NATS_PASSWORD=of-operator")
		text, err := c.CombinedOutput()
		out = string(text)
		all := err == nil
		for _, w := range want {
			all = all && strings.Contains(out, w)
		}
		if all {
			return
		}
		require.True(t, time.Now().Before(end), "status says:\n%s\nthe server says:\n%s", out, s)
	}
}

// The units in docs are what systemd expects, and their command lines what this command does.
func TestFleetUnits(t *testing.T) {
	units, err := filepath.Glob("../../docs/fleet/*.service")
	require.NoError(t, err)
	require.Len(t, units, 2)
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		require.NoError(t, err)
		line := regexp.MustCompile(`ExecStart=/usr/local/bin/sandbox (.*)`).FindStringSubmatch(string(text))
		require.NotNil(t, line)
		c, args, err := newCommand().Find(strings.Fields(line[1]))
		require.NoError(t, err)
		require.NoError(t, c.ParseFlags(args))
		file := filepath.Join(t.TempDir(), filepath.Base(unit))
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/sandbox", built())), 0o644))
		output, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput()
		require.NoError(t, err, "%s", output)
		require.Empty(t, strings.TrimSpace(string(output)))
	}
}
