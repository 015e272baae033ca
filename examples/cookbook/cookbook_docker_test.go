//go:build docker

// Package cookbook has whole programs, which docs/cookbook.md shows.
package cookbook

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

// program builds one of the programs.
func program(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	output, err := exec.Command("go", "build", "-o", file, "./"+name).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return file
}

// in runs a program in a directory. Nothing of it may be left on the engine.
func in(t *testing.T, dir, stdin, program string, args ...string) string {
	t.Helper()
	var out, log bytes.Buffer
	c := exec.Command(program, args...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = dir, strings.NewReader(stdin), &out, &log
	before := enginetest.Objects(t, enginetest.API, owner.LabelRun)
	require.NoError(t, c.Run(), "%s%s", &out, &log)
	require.ElementsMatch(t, before, enginetest.Objects(t, enginetest.API, owner.LabelRun))
	return out.String()
}

func TestCoverageService(t *testing.T) {
	c := exec.Command(program(t, "coverage-service"), "-addr", "127.0.0.1:0", "-image", enginetest.Busybox(), "-command", "cp profile cover.out")
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer c.Wait()
	defer c.Process.Signal(os.Interrupt)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	at := "http://" + strings.TrimSpace(strings.TrimPrefix(line, "listening at "))
	for name, want := range map[string]int{"profile": http.StatusOK, "other": http.StatusUnprocessableEntity, "": http.StatusBadGateway} {
		var body io.Reader = strings.NewReader("no archive")
		if name != "" {
			body = bytes.NewReader(tarball.Of(tarball.File{Name: name, Body: "mode: set\n"}))
		}
		answer, err := http.Post(at, "application/x-tar", body)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, want, answer.StatusCode, "%s", text)
		if want == http.StatusOK {
			require.Equal(t, "mode: set\n", string(text))
		}
	}
}

// files makes a directory.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

func TestGrader(t *testing.T) {
	tests := files(t, map[string]string{"one.in": "1 2", "one.out": "3\n", "two.in": "2 2", "two.out": "5\n", "three.in": "0 x", "three.out": "\n"})
	submission := files(t, map[string]string{"main.sh": "read a b; test $b != x || exit 4; echo $((a+b)); ls | wc -l >&2"})
	got := in(t, t.TempDir(), "", program(t, "grader"), "-image", enginetest.Busybox(), "-tests", tests, "--", submission, "sh", "main.sh")
	require.Equal(t, "one: passed\nthree: exit status 4\ntwo: wrong answer\n1 of 3\n", got)
}

func TestAgent(t *testing.T) {
	steps := "echo 1 >n; echo live\ncat n; echo 2 >>n\nwc -l <n; exit 3\n"
	require.Equal(t, "live\nexit status 0\n1\nexit status 0\n2\nexit status 3\n", in(t, t.TempDir(), steps, program(t, "agent"), "-image", enginetest.Busybox()))
}

// The second time, nothing is downloaded.
func TestCIStep(t *testing.T) {
	dir := files(t, map[string]string{"test.sh": "cat .downloads/*/x; cat source", "source": "mine\n"})
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-qm", "all"}} {
		output, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	step := program(t, "ci-step")
	const download = "test -e .downloads/a/x && echo kept >&2 || { mkdir -p .downloads/a; date +%N >.downloads/a/x; }"
	run := func() string {
		return in(t, dir, "", step, "-image", enginetest.Busybox(), "-network", "none", "-download", download, "-test", "sh test.sh")
	}
	first := run()
	require.Contains(t, first, "mine\n")
	require.Equal(t, first, run())
}
