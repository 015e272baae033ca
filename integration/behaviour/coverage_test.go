//go:build docker

package behaviour_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func goEnv(name string) (string, error) {
	value, err := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(value)), err
}

// command runs a program on the host. The go command has no network access.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=")
	cmd.Env = append(cmd.Env, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s", name, args, stderr.String())
	return string(out)
}

// coveredModule copies testdata/covered as a module. Its one dependency has the version
// and the checksums of this module's: no other version is on the machine.
func coveredModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../testdata/covered")))
	versions := command(t, ".", nil, "go", "list", "-m", "github.com/distribution/reference", "github.com/opencontainers/go-digest")
	mod := "module example.com/covered\n\ngo 1.26.0\n\nrequire (\n" + versions + ")\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644))
	sums, err := os.ReadFile("../../go.sum")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644))
	return dir
}

// moduleProxy mounts the host's module cache, where GOPROXY can find it.
func moduleProxy(t *testing.T) (sandbox.Mount, map[string]string) {
	t.Helper()
	cache, err := goEnv("GOMODCACHE")
	require.NoError(t, err)
	return sandbox.Mount{Source: filepath.Join(cache, "cache", "download"), Target: "/proxy", ReadOnly: true},
		map[string]string{"GOPROXY": "file:///proxy"}
}

// The job that this module is made for: the tests of a repository that is not trusted,
// as git archive packs it, and their coverage.
func TestCoverageOfAGitArchive(t *testing.T) {
	t.Parallel()
	dir := coveredModule(t)
	enginetest.GitCommit(t, dir)
	archive := command(t, dir, nil, "git", "archive", "HEAD")

	proxy, env := moduleProxy(t)
	res := runtest.OK(t, sandbox.Job{
		Image:    enginetest.Golang(),
		Cmd:      []string{"go", "test", "-coverprofile=cover.out", "./..."},
		Env:      env,
		WorkDir:  "/workspace",
		Mounts:   []sandbox.Mount{proxy},
		InputTar: strings.NewReader(archive),
		Collect:  []string{"/workspace/cover.out"},
		Limits:   sandbox.Limits{CPUs: 1, MemoryMB: 2048, PIDs: 256, Timeout: 5 * time.Minute, Network: "none"},
	})
	require.Zero(t, res.ExitCode, "%s", res.Logs)
	require.Contains(t, string(res.Logs), "example.com/covered/names")

	command(t, dir, nil, "go", "test", "-coverprofile=cover.out", "./...")
	outside, err := os.ReadFile(filepath.Join(dir, "cover.out"))
	require.NoError(t, err)
	require.Equal(t, runtest.SortedLines(outside), runtest.SortedLines(res.Artifacts["/workspace/cover.out"]))
	require.Contains(t, string(outside), "example.com/covered/internal/sum/sum.go")
}

// A directory of raw coverage data, as GOCOVERDIR produces it, comes out complete.
func TestCoverageDirectory(t *testing.T) {
	t.Parallel()
	dir := coveredModule(t)
	command(t, dir, []string{"CGO_ENABLED=0"}, "go", "build", "-cover", "-o", "covered", ".")
	binary, err := os.ReadFile(filepath.Join(dir, "covered"))
	require.NoError(t, err)
	res := runtest.OK(t, sandbox.Job{
		Image:    enginetest.Scratch(),
		Cmd:      []string{"/workspace/covered", "golang:1.26"},
		Env:      map[string]string{"GOCOVERDIR": "/workspace/data"},
		InputTar: bytes.NewReader(tarball.Of(tarball.File{Name: "covered", Body: string(binary), Mode: 0o755}, tarball.File{Name: "data/"})),
		Collect:  []string{"/workspace/data"},
		Limits:   sandbox.Limits{Network: "none"},
	})
	require.Equal(t, "docker.io/library/golang:1.26\n11 bytes\n", string(res.Logs))

	inside, outside := t.TempDir(), t.TempDir()
	for path, content := range res.Artifacts {
		require.Equal(t, "/workspace/data", filepath.Dir(path))
		require.NoError(t, os.WriteFile(filepath.Join(inside, filepath.Base(path)), content, 0o644))
	}
	command(t, dir, []string{"GOCOVERDIR=" + outside}, "./covered", "golang:1.26")
	text := func(data string) []string {
		command(t, dir, nil, "go", "tool", "covdata", "textfmt", "-i="+data, "-o=text.out")
		profile, err := os.ReadFile(filepath.Join(dir, "text.out"))
		require.NoError(t, err)
		return runtest.SortedLines(profile)
	}
	require.Equal(t, text(outside), text(inside))
}
