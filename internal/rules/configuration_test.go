package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nobody but isolation makes the engine's structs or changes their fields. Verify does so
// with copies of an engine's answers, and imports nothing that it could send them with.
func TestOnlyIsolationConfigures(t *testing.T) {
	for _, p := range packages(t) {
		for _, n := range p.configures() {
			if p.path != module+"/isolation" && p.path != module+"/internal/verify" {
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
