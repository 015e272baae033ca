//go:build docker

package sandbox_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// examples are all examples, and what they print.
var examples = []struct {
	run  func()
	want string
}{
	{ExampleRunOnce, "exit status 3\nhello\n"},
	{ExampleRunOnce_coverage, "mode: set\nexample.com/m/m.go:3.14,3.26 1 1\n"},
	{ExampleRunOnce_timeout, "timed out: true, exit status 137\nworking\n"},
	{ExampleRunOnce_cancel, "given up, timed out: false\n"},
	{ExampleRunOnce_missingCommand, "exit status 127\n"},
	{ExampleRunOnce_hardening, "65532\n65532\nCapEff:\t0000000000000000\ntouch: /x: Read-only file system\n"},
	{ExampleError, `step: validate
WorkDir "src" is not absolute; want a path such as "/workspace"
Cmd is empty: want the command to run, such as ["go", "test"]
Env name "A"… contains "="; put what follows into the value
Limits.MemoryMB 1: the minimum is 6; 0 means no limit
Limits.Network "host" is not isolated; use "none", "bridge" or the name of a user-defined network
`},
	{ExampleJob_input, "./docs/new\n./docs/notes\nfirst\nsecond\n"},
	{ExampleJob_collect, "answer: 42\nquestion is missing: true\nlink is not followed: true\n"},
	{ExampleJob_collectDirectory, "/workspace/out/logs/first: 2\n/workspace/out/result: 1\n"},
	{ExampleJob_environment, "hello, API_KEY is not set\n"},
	{ExampleMount, "apple\ntouch: /data/new: Read-only file system\n"},
	{ExampleLimits, "exit status 0, 0 bytes of output dropped\n42\n"},
	{ExampleLimits_memory, "exit status 137, timed out: false\n"},
	{ExampleLimits_processes, "exit status 2\nsh: can't fork: Resource temporarily unavailable\n"},
	{ExampleLimits_logBytes, "588869 bytes dropped\n1\n2\n3\n4\n5\n6\n7\n[sandbox: 588869 bytes dropped]\n99999\n100000\n"},
	{ExampleLimits_network, "exit status 1\nwget: can't connect to remote host (192.0.2.1): Network is unreachable\n"},
}

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

func nameOf(example func()) string {
	name := runtime.FuncForPC(reflect.ValueOf(example).Pointer()).Name()
	return name[strings.LastIndex(name, ".")+1:]
}

func TestEveryExampleIsRun(t *testing.T) {
	var written, run []string
	files, err := filepath.Glob("example*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				written = append(written, f.Name.Name)
			}
		}
	}
	for _, example := range examples {
		run = append(run, nameOf(example.run))
	}
	require.ElementsMatch(t, written, run)
}

// The examples run one after the other and beside no other test: they print to
// the one standard output.
func TestExamples(t *testing.T) {
	shell, toolchain = enginetest.Busybox(), enginetest.Golang()
	t.Chdir(module(t))
	for _, example := range examples {
		t.Run(nameOf(example.run), func(t *testing.T) {
			require.Equal(t, example.want, printed(t, example.run))
		})
	}
}

// printed is what f writes to the standard output.
func printed(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(r)
		text <- string(all)
	}()
	stdout := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	f()
	require.NoError(t, w.Close())
	return <-text
}

// module is a Git repository with a small module.
func module(t *testing.T) string {
	t.Helper()
	return enginetest.GitRepository(t, map[string]string{
		"go.mod":    "module example.com/m\n\ngo 1.26\n",
		"m.go":      "package m\n\nfunc F() int { return 1 }\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) { F() }\n",
	})
}
