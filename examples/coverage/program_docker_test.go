//go:build docker

package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/rootfs"
)

// files are the contents of files by name.
type files map[string]string

const source = "package m\n\nfunc F() int { return 1 }\n"

// hang is a test that never ends.
const hang = "<-t.Context().Done()"

// testFile is a test of F, of one statement.
func testFile(statement string) string {
	return "package m\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\t" + statement + "\n}\n"
}

// writeModule makes the module example.com/<name>, without dependencies, in a new
// directory of dir.
func writeModule(t *testing.T, dir, name, statement string, more files) string {
	t.Helper()
	all := files{"go.mod": "module example.com/" + name + "\n\ngo 1.26\n", "m.go": source, "m_test.go": testFile(statement)}
	maps.Copy(all, more)
	path := filepath.Join(dir, name)
	for file, content := range all {
		write(t, filepath.Join(path, file), content)
	}
	return path
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// commit makes dir a Git repository and commits all that is in it.
func commit(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "all"}} {
		git(t, dir, args...)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, text)
	}
}

// program is the command under test.
type program struct{ binary, image string }

func build(t *testing.T) program {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "coverage")
	if text, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	egress := exec.Command("go", "build", "-o", filepath.Dir(binary), "github.com/synchestra-io/sandbox/egress/cmd/sandbox-egress")
	egress.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := egress.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	removeProxyImage(t, filepath.Join(filepath.Dir(binary), "sandbox-egress"))
	return program{binary: binary}
}

// removeProxyImage removes, at the test's end, the image that is made of a program, unless the
// engine has it already.
func removeProxyImage(t *testing.T, file string) {
	t.Helper()
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	ref := proxyRef([]byte(read(t, file)))
	_, had := api.ImageInspect(context.Background(), ref)
	t.Cleanup(func() {
		defer api.Close()
		if !errdefs.IsNotFound(had) {
			return
		}
		if _, err := api.ImageRemove(context.Background(), ref, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
			t.Error(err)
		}
	})
}

// compiledImage is an image of the toolchain with the standard library compiled, so that
// what is compiled in it is small.
func compiledImage(t *testing.T) string {
	t.Helper()
	cache, err := rootfs.GoCache()
	if err != nil {
		t.Fatal(err)
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	ref := "sandbox-examples/go-compiled:test"
	if err := importToolchain(t.Context(), api, ref, cache); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := api.ImageRemove(context.Background(), ref, image.RemoveOptions{}); err != nil {
			t.Error(err)
		}
		api.Close()
	})
	return ref
}

// run returns what the program printed and its exit status.
func (p program) run(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(p.binary, append([]string{"-image", p.image}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// wants fails the test for each text that is missing.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// section is what the program printed about a module, from the verdict on.
func section(t *testing.T, stdout, module string) string {
	t.Helper()
	_, text, found := strings.Cut(stdout, "\n"+module+": ")
	if !found {
		t.Fatalf("no verdict on %s in:\n%s", module, stdout)
	}
	text, _, _ = strings.Cut(text, "\ndownloading the dependencies of ")
	return text
}
