//go:build docker

package behaviour_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func readme(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	return string(text)
}

// The program at the front of README runs as it is, except for the name of the image:
// the tests make their own.
func TestREADMEProgramRuns(t *testing.T) {
	t.Parallel()
	_, program, _ := strings.Cut(readme(t), "```go\n")
	program, _, found := strings.Cut(program, "```\n")
	require.True(t, found)
	program = strings.Replace(program, `"golang:1.26"`, `"`+enginetest.Golang()+`"`, 1)
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(main, []byte(program), 0o600))
	binary := filepath.Join(dir, "program")
	text, err := exec.Command("go", "build", "-o", binary, main).CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "source.tar"), tarball.Of(
		tarball.File{Name: "go.mod", Body: "module example.com/m\n\ngo 1.26\n"},
		tarball.File{Name: "m.go", Body: "package m\n\nfunc F() int { return 1 }\n"},
		tarball.File{Name: "m_test.go", Body: "package m\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) { F() }\n"},
	), 0o600))
	run := exec.Command(binary)
	run.Dir = dir
	text, err = run.CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Contains(t, string(text), "exit status 0, timed out: false\n")
	require.Contains(t, string(text), "coverage: 100.0% of statements")
	require.Contains(t, string(text), "mode: set\nexample.com/m/m.go:3.14,3.26 1 1\n")
}

// Every text in README's table of common errors is the beginning of a real one.
func TestREADMEErrors(t *testing.T) {
	_, table, _ := strings.Cut(readme(t), "## Common errors")
	table, _, found := strings.Cut(table, "\n## ")
	require.True(t, found)
	texts := regexp.MustCompile("(?m)^\\| `(sandbox: [^`]+)`").FindAllStringSubmatch(table, -1)
	jobs := readmeErrors(t)
	require.Len(t, texts, len(jobs)+2)
	for i, j := range jobs {
		_, err := runtest.Do(t, j)
		require.Error(t, err)
		require.True(t, strings.HasPrefix(err.Error(), texts[i+2][1]), "README has %q, the error is %q", texts[i+2][1], err)
	}
	for i, env := range []string{"DOCKER_HOST=unix:///nobody.sock", "DOCKER_CONTEXT=nobody"} {
		noChoice(t)
		name, value, _ := strings.Cut(env, "=")
		t.Setenv(name, value)
		_, err := sandbox.RunOnce(t.Context(), runtest.Shell("true"))
		require.True(t, strings.HasPrefix(err.Error(), texts[i][1]), "README has %q, the error is %q", texts[i][1], err)
	}
}

// readmeErrors returns jobs that lead to README's errors, in order, without the first two.
func readmeErrors(t *testing.T) []sandbox.Job {
	t.Helper()
	with := func(edit func(*sandbox.Job)) sandbox.Job {
		j := runtest.Shell("true")
		edit(&j)
		return j
	}
	whole := string(tarball.Of(tarball.File{Name: "a", Body: "x"}))
	return []sandbox.Job{
		with(func(j *sandbox.Job) { j.Image = "127.0.0.1:1/nobody:v1" }),
		with(func(j *sandbox.Job) { j.Cmd = nil }),
		with(func(j *sandbox.Job) { j.WorkDir = "src" }),
		with(func(j *sandbox.Job) { j.Limits.Network = "backend" }),
		with(func(j *sandbox.Job) {
			j.Mounts = []sandbox.Mount{{Source: "/var/run/docker.sock", Target: "/sock", ReadOnly: true}}
		}),
		with(func(j *sandbox.Job) {
			j.Mounts = []sandbox.Mount{{Source: "/no/such/dir", Target: "/dir", ReadOnly: true}}
		}),
		with(func(j *sandbox.Job) { j.InputTar = strings.NewReader("\x1f\x8b\x08\x00" + strings.Repeat("x", 2000)) }),
		with(func(j *sandbox.Job) { j.InputTar = strings.NewReader(whole[:600]) }),
	}
}
