package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func readme(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(root + "/README.md")
	require.NoError(t, err)
	return string(text)
}

// Every test that docs/guarantees.md names exists.
func TestGuaranteesNameTests(t *testing.T) {
	tests := map[string]bool{}
	for _, file := range filesOf(t, "", "egress", "fleet", "cmd/sandbox", "examples") {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = true
			}
		}
	}
	guarantees, err := os.ReadFile(root + "/docs/guarantees.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(guarantees), -1)
	require.Greater(t, len(named), 50)
	for _, name := range named {
		require.True(t, tests[name[1]], "docs/guarantees.md names %s, which does not exist", name[1])
	}
}

// docs/cookbook.md shows the programs as they are.
func TestCookbook(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/cookbook.md")
	require.NoError(t, err)
	programs, err := filepath.Glob(root + "/examples/cookbook/*/main.go")
	require.NoError(t, err)
	require.Len(t, programs, strings.Count(string(page), "```go\n"))
	for _, file := range programs {
		program, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(page), "```go\n"+string(program)+"```\n", file)
	}
}

func TestREADMEProgramCompiles(t *testing.T) {
	t.Parallel()
	_, program, found := strings.Cut(readme(t), "```go\n")
	require.True(t, found)
	program, _, found = strings.Cut(program, "```\n")
	require.True(t, found)
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	vet := exec.Command("go", "vet", file)
	vet.Dir = root
	output, err := vet.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
