//go:build docker

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

func TestMain(m *testing.M) {
	enginetest.Main(m, nil)
}

// built is this command, built as users build it.
var built = sync.OnceValue(func() string {
	file, err := filepath.Abs("../../bin/sandbox")
	if err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		panic(string(output))
	}
	return file
})

// ended is how a command line ended.
type ended struct {
	out, err string
	status   int
}

// tree makes a directory with files, and returns it.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
	}
	return dir
}

// start prepares a command line in a directory, with the image of busybox and no network.
func start(t testing.TB, dir string, args ...string) *exec.Cmd {
	others(t)
	c := exec.Command(built(), args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "SANDBOX_IMAGE="+enginetest.Busybox(), "COLUMNS=80")
	return c
}

// sealed are the flags of most runs.
func sealed(args ...string) []string { return append([]string{"run", "--network", "none"}, args...) }

// run runs a command line to its end. Nothing of it may be left.
func run(t testing.TB, dir string, stdin io.Reader, args ...string) ended {
	t.Helper()
	var out, err bytes.Buffer
	c := start(t, dir, args...)
	c.Stdin, c.Stdout, c.Stderr = stdin, &out, &err
	failed := c.Run()
	require.True(t, failed == nil || errors.As(failed, new(*exec.ExitError)), "%v", failed)
	nothingLeft(t)
	return ended{out.String(), err.String(), c.ProcessState.ExitCode()}
}

// there are the objects that were there before the first command line of this package.
var there map[string]bool

// others are those of other packages' tests.
func others(t testing.TB) map[string]bool {
	t.Helper()
	if there == nil {
		there = map[string]bool{}
		for _, o := range enginetest.Objects(t, enginetest.API, owner.LabelRun) {
			there[o] = true
		}
	}
	return there
}

// objects are those of the command lines of this package. Its tests come one after the other.
func objects(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(enginetest.Objects(t, enginetest.API, owner.LabelRun), func(o string) bool { return others(t)[o] })
}

func nothingLeft(t testing.TB) {
	t.Helper()
	require.Empty(t, objects(t))
}

// shell is a command line that runs a script.
func shell(t testing.TB, dir, script string, flags ...string) ended {
	t.Helper()
	return run(t, dir, strings.NewReader(""), append(sealed(flags...), "--", "sh", "-c", script)...)
}
