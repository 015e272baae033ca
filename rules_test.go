package sandbox

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

// The rules of this module that no compiler holds.

const module = "github.com/synchestra-io/sandbox"

// imports are all that a package may import beside the standard library, and
// why: every importer of this module pays for them.
var imports = map[string]map[string]string{
	module: {
		module + "/isolation":                          "the hardened preset",
		module + "/internal/dockerx":                   "the engine",
		"github.com/distribution/reference":            "the grammar of images' names",
		"github.com/containerd/errdefs":                "the engine's refusals by kind",
		"github.com/docker/docker/api/types/container": "types only, handed from isolation to dockerx",
		"github.com/docker/docker/api/types/mount":     "types only, handed from isolation to dockerx",
	},
	module + "/isolation": {
		"github.com/docker/docker/api/types/container": "what it fills in",
		"github.com/docker/docker/api/types/mount":     "what it fills in",
		"github.com/docker/go-connections/nat":         "the type of a field of HostConfig",
	},
	module + "/internal/dockerx": {
		"github.com/docker/docker/client":              "the engine; nobody else may speak to it",
		"github.com/docker/docker/api/types":           "its type of a hijacked connection",
		"github.com/docker/docker/api/types/container": "its types",
		"github.com/docker/docker/api/types/filters":   "its types",
		"github.com/docker/docker/api/types/image":     "its types",
		"github.com/docker/docker/api/types/network":   "its types",
		"github.com/docker/docker/api/types/volume":    "its types",
		"github.com/docker/docker/api/types/system":    "its types",
		"github.com/docker/docker/api/types/versions":  "which API version is older",
		"github.com/containerd/errdefs":                "its refusals by kind",
	},
	module + "/scripts/ping": {module + "/internal/dockerx": "it asks the engine as a run does"},
	module + "/internal/sandboxtest": {
		module:                            "what it attacks",
		"github.com/docker/docker/client": "it imports the attacks' image and asks for the engine's version",
		"github.com/docker/docker/api/types/image":     "its types",
		"github.com/docker/docker/api/types/container": "whose processes are looked for",
	},
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		used := map[string]bool{}
		for _, f := range p.files {
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				used[path] = true
				if domain, _, _ := strings.Cut(path, "/"); strings.Contains(domain, ".") && imports[p.path][path] == "" {
					t.Errorf("%s: %s must not import %s; if it has to, say why in the table imports", p.at(spec), p.path, path)
				}
			}
		}
		for path := range imports[p.path] {
			require.True(t, used[path], "%s does not import %s any more: remove its line from the table imports", p.path, path)
		}
	}
}

// The root package hands the engine's types on and does nothing with them, and
// one function creates containers. Nothing else runs or changes anything there.
func TestUseOfTheSDK(t *testing.T) {
	var creating []string
	for _, p := range packages(t) {
		for id, object := range p.info.Uses {
			if object.Pkg() == nil || !strings.HasPrefix(object.Pkg().Path(), "github.com/docker/") {
				continue
			}
			if _, isType := object.(*types.TypeName); p.path == module && !isType {
				t.Errorf("%s: %s is more than a type of the SDK: move this to isolation or internal/dockerx", p.at(id), id.Name)
			}
			switch id.Name {
			case "ContainerCreate":
				creating = append(creating, p.path+"."+p.function(id))
			case "ContainerUpdate", "ContainerExecCreate", "ContainerExecStart", "ContainerExecAttach", "ServiceCreate":
				t.Errorf("%s: %s: nothing but the job runs in a container, and as it was created", p.at(id), id.Name)
			}
		}
	}
	require.Equal(t, []string{module + "/internal/dockerx.Create"}, creating, "create containers by dockerx.Client.Create alone")
}

// Nobody but isolation makes the engine's structs or changes their fields.
func TestOnlyIsolationConfigures(t *testing.T) {
	for _, p := range packages(t) {
		for _, n := range p.configures() {
			if p.path != module+"/isolation" {
				t.Errorf("%s: this makes or changes a container's configuration: do it in package isolation", p.at(n))
			}
		}
	}
}

// A check that finds nothing may be blind: every line of f is a find.
func TestConfiguringIsSeen(t *testing.T) {
	const source = `package p
import ("github.com/docker/docker/api/types/container"; m "github.com/docker/docker/api/types/mount")
type alias = container.HostConfig
func f(h, other *container.HostConfig, mounts []m.Mount) {
	_ = &container.Config{}
	_ = alias{Privileged: true}
	_ = []m.Mount{{Target: "/"}}
	_ = new(container.Resources)
	var made container.Config; _ = made
	h.Privileged = true
	h.Memory++
	h.CapDrop[0] = ""
	(*h).Resources.NanoCPUs, mounts = 1, nil
	mounts[0].BindOptions.Propagation = "shared"
	*h = *other
	_ = &h.ReadonlyRootfs
	clear(h.Tmpfs)
}`
	p := packages(t)[0].beside(t, source)
	seen := map[int]bool{}
	for _, n := range p.configures() {
		seen[p.at(n).Line] = true
	}
	for line := 5; line < strings.Count(source, "\n")+1; line++ {
		require.True(t, seen[line], "line %d", line)
	}
}

// configures lists what makes a value of the engine's configuration, writes to
// one, or takes a part's address.
func (p *pack) configures() (found []ast.Node) {
	written := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if p.inConfiguration(e) {
				found = append(found, e)
			}
		}
	}
	for _, f := range p.files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if isConfiguration(p.info.TypeOf(n)) {
					found = append(found, n)
				}
			case *ast.ValueSpec:
				if n.Type != nil && isConfiguration(p.info.TypeOf(n.Type)) {
					found = append(found, n)
				}
			case *ast.AssignStmt:
				written(n.Lhs...)
			case *ast.IncDecStmt:
				written(n.X)
			case *ast.RangeStmt:
				written(n.Key, n.Value)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					written(n.X)
				}
			case *ast.CallExpr:
				switch fun, _ := n.Fun.(*ast.Ident); {
				case fun == nil || p.info.Uses[fun] != types.Universe.Lookup(fun.Name):
				case fun.Name == "new" && isConfiguration(p.info.TypeOf(n.Args[0])):
					found = append(found, n)
				case fun.Name == "clear" || fun.Name == "delete" || fun.Name == "copy":
					written(n.Args[0])
				}
			}
			return true
		})
	}
	return found
}

// inConfiguration tells whether e is a whole configuration behind a pointer, or
// a part of one.
func (p *pack) inConfiguration(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return p.inConfiguration(e.X)
	case *ast.IndexExpr:
		return p.inConfiguration(e.X)
	case *ast.StarExpr:
		return isConfiguration(p.info.TypeOf(e)) || p.inConfiguration(e.X)
	case *ast.SelectorExpr:
		s := p.info.Selections[e]
		return s != nil && s.Kind() == types.FieldVal && (isConfiguration(s.Recv()) || p.inConfiguration(e.X))
	}
	return false
}

func isConfiguration(t types.Type) bool {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && slices.Contains([]string{
		"container.HostConfig", "container.Resources", "container.Config", "mount.Mount", "mount.BindOptions", "mount.VolumeOptions",
	}, named.Obj().Pkg().Name()+"."+named.Obj().Name())
}

// Tests included, with every build tag.
func TestHabits(t *testing.T) {
	fset := token.NewFileSet()
	for _, file := range goFiles(t) {
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		require.NoError(t, err)
		commented := map[int]bool{}
		for _, group := range f.Comments {
			for _, c := range group.List {
				commented[fset.Position(c.Pos()).Line] = true
				if strings.HasPrefix(c.Text, "//nolint") {
					t.Errorf("%s: mend what the linter found", fset.Position(c.Pos()))
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				named := func(e ast.Expr) bool { return types.ExprString(e) != "_" }
				if at := fset.Position(n.Pos()); n.Tok == token.ASSIGN && !slices.ContainsFunc(n.Lhs, named) && !commented[at.Line] {
					t.Errorf("%s: a value is dropped: say why at the end of the line", at)
				}
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || !strings.HasSuffix(file, "_test.go") {
					break
				}
				switch name := types.ExprString(method); {
				case name == "time.Sleep":
					t.Errorf("%s: a sleep is too short or too long: wait for the event", fset.Position(n.Pos()))
				case slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method.Sel.Name):
					t.Errorf("%s: a skipped test tells nothing: make it run or fail", fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// goFiles are the files of this module; a nested module keeps its own rules.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && path != "." {
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
	out, err := exec.Command("go", append(args, "./...")...).Output()
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
