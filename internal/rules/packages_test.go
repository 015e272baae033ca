package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the module's directory, as seen from here.
const root = "../.."

// goFiles are the files of this module, of egress, fleet and the command; other nested modules keep
// their own rules.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	return filesOf(t, "", "egress", "fleet", "cmd/sandbox")
}

// filesOf are the files of some modules.
func filesOf(t *testing.T, modules ...string) (files []string) {
	t.Helper()
	for _, module := range modules {
		module = filepath.Join(root, module)
		require.NoError(t, filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
			if d.IsDir() && path != module {
				_, nested := os.Stat(filepath.Join(path, "go.mod"))
				if nested == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
					return filepath.SkipDir
				}
			}
			if strings.HasSuffix(path, ".go") {
				files = append(files, path)
			}
			return err
		}))
	}
	require.Greater(t, len(files), 50, "the walk has lost its way")
	return files
}

// pack is a package of this module, type-checked from its source without tests.
type pack struct {
	path     string
	fset     *token.FileSet
	files    []*ast.File
	info     types.Info
	importer types.Importer
}

func (p *pack) at(n ast.Node) token.Position { return p.fset.Position(n.Pos()) }

// function names the function around n.
func (p *pack) function(n ast.Node) string {
	for _, f := range p.files {
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Pos() <= n.Pos() && n.Pos() < f.End() {
				return f.Name.Name
			}
		}
	}
	return "no function"
}

func (p *pack) check() error {
	p.info = types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	_, err := (&types.Config{Importer: p.importer}).Check(p.path, p.fset, p.files, &p.info)
	return err
}

// beside checks another source with the same imports at hand.
func (p *pack) beside(t *testing.T, source string) *pack {
	t.Helper()
	f, err := parser.ParseFile(p.fset, "p.go", source, 0)
	require.NoError(t, err)
	other := &pack{path: "p", fset: p.fset, files: []*ast.File{f}, importer: p.importer}
	require.NoError(t, other.check())
	return other
}

func packages(t *testing.T) []*pack {
	t.Helper()
	all, err := loaded()
	require.NoError(t, err)
	return all
}

// loaded are this module's packages. What they import comes from the build
// cache, where the build of this test has put it, or put it with -race.
var loaded = sync.OnceValues(func() ([]*pack, error) {
	args := []string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,Module"}
	if build, ok := debug.ReadBuildInfo(); ok && slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	list := exec.Command("go", append(args, "./...")...)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports, fset := map[string]string{}, token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var all []*pack
	for list := json.NewDecoder(bytes.NewReader(out)); list.More(); {
		var l struct {
			ImportPath, Dir, Export string
			GoFiles                 []string
			Module                  *struct{ Main bool }
		}
		if err := list.Decode(&l); err != nil {
			return nil, err
		}
		exports[l.ImportPath] = l.Export
		if l.Module == nil || !l.Module.Main {
			continue
		}
		p := &pack{path: l.ImportPath, fset: fset, importer: imp}
		for _, name := range l.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(l.Dir, name), nil, parser.ParseComments)
			if err != nil {
				return nil, err
			}
			p.files = append(p.files, f)
		}
		all = append(all, p)
	}
	for _, p := range all {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	return all, nil
})
