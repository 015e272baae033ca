package rules

import (
	"bytes"
	"go/ast"
	"go/printer"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What importers can see is on file, so that every change of it is seen in
// review.
func TestSurface(t *testing.T) {
	for _, p := range public(t) {
		file := filepath.Join(root, "testdata", "surface", path.Base(p.path)+".txt")
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), p.surface(t), "if this change of the API is meant, change testdata/surface by hand")
	}
}

func public(t *testing.T) (public []*pack) {
	for _, p := range packages(t) {
		if p.path == module || p.path == module+"/isolation" {
			public = append(public, p)
		}
	}
	require.Len(t, public, 2)
	return public
}

// surface prints the exported declarations without comments and bodies, in the
// order of their texts: constants, functions, types, variables.
func (p *pack) surface(t *testing.T) string {
	var declarations []string
	for _, f := range p.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) {
					declarations = append(declarations, p.print(t, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type}))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if spec := exportedPart(p.resolve(t, spec)); spec != nil {
						declarations = append(declarations, p.print(t, &ast.GenDecl{Tok: d.Tok, Specs: []ast.Spec{spec}}))
					}
				}
			}
		}
	}
	slices.Sort(declarations)
	return strings.Join(declarations, "\n") + "\n"
}

// resolve replaces a variable that hands on one of an internal package by what that
// one is: importers see its text, and not where it comes from.
func (p *pack) resolve(t *testing.T, spec ast.Spec) ast.Spec {
	value, ok := spec.(*ast.ValueSpec)
	if !ok || len(value.Values) != 1 {
		return spec
	}
	from, ok := value.Values[0].(*ast.SelectorExpr)
	if !ok {
		return spec
	}
	object := p.info.Uses[from.Sel]
	for _, other := range packages(t) {
		for _, f := range other.files {
			if own := f.Scope.Lookup(from.Sel.Name); other.path == object.Pkg().Path() && own != nil {
				return &ast.ValueSpec{Names: value.Names, Type: value.Type, Values: own.Decl.(*ast.ValueSpec).Values}
			}
		}
	}
	return spec
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	receiver := f.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	return ast.IsExported(receiver.(*ast.Ident).Name)
}

// exportedPart is a copy of a declaration without comments and without what is
// not exported, or nil.
func exportedPart(spec ast.Spec) ast.Spec {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		if s.Names[0].IsExported() {
			return &ast.ValueSpec{Names: s.Names, Type: s.Type, Values: s.Values}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		part := &ast.TypeSpec{Name: s.Name, TypeParams: s.TypeParams, Assign: s.Assign, Type: s.Type}
		if structure, ok := s.Type.(*ast.StructType); ok {
			fields := &ast.FieldList{}
			for _, f := range structure.Fields.List {
				if len(f.Names) == 0 || f.Names[0].IsExported() {
					fields.List = append(fields.List, &ast.Field{Names: f.Names, Type: f.Type, Tag: f.Tag})
				}
			}
			part.Type = &ast.StructType{Fields: fields}
		}
		return part
	}
	return nil
}

func (p *pack) print(t *testing.T, node ast.Node) string {
	var text bytes.Buffer
	require.NoError(t, (&printer.Config{Mode: printer.UseSpaces, Tabwidth: 4}).Fprint(&text, p.fset, node))
	return strings.ReplaceAll(text.String(), "\n\n", "\n") // where comments were
}

func TestExportedIsDocumented(t *testing.T) {
	for _, p := range public(t) {
		for _, f := range p.files {
			for _, name := range undocumented(f) {
				t.Errorf("%s: %s is exported and has no comment: say what it is for", p.at(name), name)
			}
		}
	}
}

// undocumented lists the exported names of a file that have neither a comment of
// their own nor one of their group. Error and Unwrap mean what they always mean.
func undocumented(f *ast.File) (names []*ast.Ident) {
	check := func(name *ast.Ident, comments ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil }) {
			names = append(names, name)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if exportedReceiver(n) && n.Name.Name != "Error" && n.Name.Name != "Unwrap" {
				check(n.Name, n.Doc)
			}
			return false
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					check(s.Names[0], n.Doc, s.Doc, s.Comment)
				case *ast.TypeSpec:
					check(s.Name, n.Doc, s.Doc)
				}
			}
		case *ast.TypeSpec:
			return n.Name.IsExported()
		case *ast.Field:
			for _, name := range n.Names {
				check(name, n.Doc, n.Comment)
			}
		}
		return true
	})
	return names
}
