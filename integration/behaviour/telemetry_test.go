//go:build docker

package behaviour_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/spantest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// logged is a logger's lines, and what they say as a whole.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
}

func (l *logged) lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.text.String()) {
		var one map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		lines = append(lines, one)
	}
	return lines
}

// secret is in all that a job has.
const secret = "s3cr3t-0123456789"

func secretJob() sandbox.Job {
	j := runtest.Shell(`cat; echo "$TOKEN"; cat /workspace/in; cp /workspace/in /workspace/out; exit 3`)
	j.Env = map[string]string{"TOKEN": secret}
	j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", "echo $OTHER"}, Env: map[string]string{"OTHER": secret}, Network: "none"}
	j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: secret}))
	j.Stdin, j.Collect = strings.NewReader(secret), []string{"/workspace/out", "/workspace/none"}
	return j
}

// A run has a span, each of its steps has one, and the requests are below these. A line tells
// how it ended. None of it has anything of what the job was given or said.
func TestTelemetry(t *testing.T) {
	spans := spantest.Record(t)
	var log logged
	r, err := sandbox.New(sandbox.Options{Logger: log.logger(slog.LevelDebug)})
	require.NoError(t, err)
	res, id, err := runtest.RunWith(context.Background(), r, secretJob())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, 3, res.ExitCode)
	require.Contains(t, string(res.Logs), secret)

	steps := []string{"validate", "pull", "stage", "setup", "create", "run", "collect", "cleanup"}
	var told, requested []string
	for _, s := range spans.Of(id) {
		require.NotContains(t, s.Text, secret)
		switch s.Parent {
		case "":
			require.Equal(t, "sandbox run", s.Name)
			require.Contains(t, s.Text, "sandbox.outcome failure")
			require.Contains(t, s.Text, "process.exit.code 3")
			require.Contains(t, s.Text, "container.image.name docker.io/"+secretJob().Image)
		case "sandbox run":
			told = append(told, s.Name)
		default:
			require.Contains(t, steps, s.Parent, s.Name)
			requested = append(requested, s.Parent)
		}
		require.Empty(t, s.Status)
	}
	require.Equal(t, steps, told)
	slices.Sort(requested)
	require.Subset(t, slices.Compact(requested), []string{"stage", "setup", "create", "run", "collect", "cleanup"})
	for _, s := range spans.All() {
		require.NotContains(t, s.Text, secret)
	}

	require.NotContains(t, log.text.String(), secret)
	lines := log.lines(t)
	require.Len(t, lines, len(steps)+1)
	end := lines[len(steps)]
	require.Equal(t, id, end["run"])
	require.Equal(t, "failure", end["outcome"])
	require.EqualValues(t, 3, end["exit"])
	require.EqualValues(t, len(res.Logs)+len(res.SetupLogs), end["output_bytes"])
	require.EqualValues(t, 1, end["artifacts"])
	require.ElementsMatch(t, steps, slices.Collect(maps.Keys(end["steps"].(map[string]any))))
	for i, step := range steps {
		require.Equal(t, "DEBUG", lines[i]["level"])
		require.Equal(t, step, lines[i]["step"])
	}
}

// A run that fails says why, and a password is in nothing of that.
func TestTelemetryOfAFailure(t *testing.T) {
	spans := spantest.Record(t)
	var log logged
	r, err := sandbox.New(sandbox.Options{Logger: log.logger(slog.LevelInfo), Credentials: func(context.Context, string) (sandbox.Credentials, error) {
		return sandbox.Credentials{Username: "me", Password: secret}, nil
	}})
	require.NoError(t, err)
	defer r.Close()
	j := runtest.Shell("true")
	j.Image = "127.0.0.1:1/nobody:v1"
	_, id, failed := runtest.RunWith(context.Background(), r, j)
	require.Error(t, failed)
	of := spans.Of(id)
	require.Equal(t, failed.Error(), of[0].Status)
	require.Contains(t, of[0].Text, "error.type pull")
	for _, s := range of {
		require.NotContains(t, s.Text, secret)
	}
	lines := log.lines(t)
	require.Len(t, lines, 1, "steps are for another level")
	require.Equal(t, "error", lines[0]["outcome"])
	require.Equal(t, "pull", lines[0]["step"])
	require.Equal(t, failed.Error(), lines[0]["error"])
	require.NotContains(t, log.text.String(), secret)
}
