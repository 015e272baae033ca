//go:build docker

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCoverage(t *testing.T) {
	p := build(t)
	// This one makes the image of the toolchain, if there is none.
	t.Run("NoModule", func(t *testing.T) { testNoModule(t, p) })
	p.image = compiledImage(t)
	t.Run("LinkToRepository", func(t *testing.T) { t.Parallel(); testLinkToRepository(t, p) })
	t.Run("HostileRepository", func(t *testing.T) { t.Parallel(); testHostileRepository(t, p) })
	t.Run("Verdicts", func(t *testing.T) { t.Parallel(); testVerdicts(t, p) })
	t.Run("Timeout", func(t *testing.T) { t.Parallel(); testTimeout(t, p) })
}

// One call tests several modules, and one that fails does not hide the others.
func testVerdicts(t *testing.T, p program) {
	dir, out := t.TempDir(), t.TempDir()
	// Only what is committed is tested: what comes after would fail.
	pass := writeModule(t, dir, "pass", "F()", files{"unused/u.go": "package unused\n\nfunc U() {\n\tprintln()\n}\n"})
	commit(t, pass)
	write(t, filepath.Join(pass, "later_test.go"), "does not compile")
	fail := writeModule(t, dir, "fail", `t.Fatal("got 1, want 2")`, nil)
	broken := writeModule(t, dir, "broken", "undefinedFunction()", nil)

	stdout, stderr, status := p.run(t, nil, "-out", out, fail, broken, pass)
	if status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	wants(t, stderr, "example.com/fail: tests failed, exit status 1", "example.com/broken: does not build, exit status 1")
	if strings.Contains(stderr, "example.com/pass") {
		t.Errorf("the module that passes is in:\n%s", stderr)
	}

	wants(t, section(t, stdout, "example.com/fail"), "tests failed, exit status 1", "--- FAIL: TestF", "got 1, want 2")
	wants(t, section(t, stdout, "example.com/broken"), "does not build, exit status 1", "undefined: undefinedFunction")
	passed := section(t, stdout, "example.com/pass")
	wants(t, passed, "all tests passed", filepath.Join(out, "example.com/pass/cover.out"), filepath.Join(out, "example.com/pass/cover.html"))
	wants(t, columns(passed), "example.com/pass 1 1 100.0", "example.com/pass/unused 1 0 0.0", "TOTAL 2 1 50.0")

	wants(t, read(t, filepath.Join(out, "example.com/pass/cover.out")), "mode: set\n", "example.com/pass/m.go:3.14,3.26 1 1\n")
	wants(t, read(t, filepath.Join(out, "example.com/pass/cover.html")), "func F() int", "example.com/pass/m.go (100.0%)")
}

// columns drops the lines of a table: its cells are apart by one blank.
func columns(table string) string {
	return strings.Join(strings.FieldsFunc(table, func(r rune) bool { return strings.ContainsRune("|+-\n ", r) }), " ")
}

// A repository is one by whatever path it is named.
func testLinkToRepository(t *testing.T, p program) {
	dir := t.TempDir()
	path := filepath.Join(dir, "repository")
	write(t, filepath.Join(path, "go.mod"), "module example.com/m\n\ngo 1.26\n")
	write(t, filepath.Join(path, "m.go"), "package m\n") // nothing to compile, so it is quick
	commit(t, path)
	write(t, filepath.Join(path, "later.go"), "does not compile")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := p.run(t, nil, "-out", t.TempDir(), link)
	if status != 0 {
		t.Errorf("exit status %d, want 0: %s", status, stderr)
	}
	wants(t, section(t, stdout, "example.com/m"), "all tests passed")
}

// A stranger's repository names programs in its configuration, and the directory in it that
// is tested looks like a repository of its own. None of them is run on this machine.
func testHostileRepository(t *testing.T, p program) {
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	path := writeModule(t, dir, "m", "F()", files{".gitattributes": "* filter=x\n"})
	commit(t, path)
	evil := "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = touch " + ran + "\n[filter \"x\"]\n\tsmudge = touch " + ran + "\n\tclean = touch " + ran + "\n[uploadpack]\n\tpackObjectsHook = touch " + ran + "\n"
	write(t, filepath.Join(path, ".git", "config"), evil)
	bare := writeModule(t, path, "sub", "F()", files{"config": evil + "[core]\n\tbare = true\n", "HEAD": "ref: refs/heads/main\n", "objects/x": "", "refs/x": ""})
	stdout, stderr, status := p.run(t, nil, "-out", t.TempDir(), path, bare)
	if status != 0 {
		t.Errorf("exit status %d, want 0: %s", status, stderr)
	}
	wants(t, section(t, stdout, "example.com/m"), "all tests passed")
	wants(t, section(t, stdout, "example.com/sub"), "all tests passed")
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program of the repository's was run")
	}
	git(t, path, "archive", "--output="+filepath.Join(dir, "tar"), "HEAD")
	if _, err := os.Stat(ran); err != nil {
		t.Error("git archive does not run it either, so the test shows nothing")
	}
}

// A test that hangs is killed, wherever its module is on the host.
func testTimeout(t *testing.T, p program) {
	dir := t.TempDir()
	hangs := writeModule(t, dir, "hangs", hang, nil)
	workspace := filepath.Join(dir, "workspace")
	inWorkspace := writeModule(t, workspace, "hangs", hang, nil)
	writeModule(t, workspace, "neighbour", "F()", nil)
	write(t, filepath.Join(workspace, "go.work"), "go 1.26\n\nuse (\n\t./hangs\n\t./neighbour\n)\n")
	for name, c := range map[string]struct {
		path string
		env  []string
	}{
		"a directory":                    {hangs, nil},
		"a member of a workspace":        {inWorkspace, nil},
		"with nothing downloaded before": {hangs, []string{"GOMODCACHE=" + filepath.Join(t.TempDir(), "mod")}},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := p.run(t, c.env, "-out", t.TempDir(), "-timeout", "1s", c.path)
			if status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			wants(t, stderr, "coverage: example.com/hangs: killed at the timeout of 1s, exit status 137\n")
			wants(t, stdout, "\nexample.com/hangs: killed at the timeout of 1s, exit status 137")
		})
	}
}

// What cannot be tested is refused with its path and the reason.
func testNoModule(t *testing.T, p program) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	write(t, filepath.Join(empty, "README"), "nothing\n")
	inner := filepath.Join(writeModule(t, dir, "m", "F()", files{"inner/i.go": "package inner\n"}), "inner")
	uncommitted := writeModule(t, dir, "uncommitted", "F()", nil)
	git(t, uncommitted, "init", "-q")
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"missing":              {filepath.Join(dir, "missing"), []string{"missing", "no such file or directory"}},
		"no module":            {empty, []string{empty, "go.mod"}},
		"part of a module":     {inner, []string{inner, "go.mod"}},
		"nothing is committed": {uncommitted, []string{"example.com/uncommitted", "git archive HEAD", "fatal: "}},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := p.run(t, nil, "-out", t.TempDir(), c.path)
			if status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			wants(t, stderr, c.want...)
			if strings.Contains(stdout, "in the sandbox") {
				t.Errorf("it was run all the same:\n%s", stdout)
			}
		})
	}
}
