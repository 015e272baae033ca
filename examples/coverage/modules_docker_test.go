//go:build docker && workloads

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synchestra-io/sandbox"
)

// Of the public modules with dependencies that SANDBOX_MODULES names, the coverage in the
// sandbox is that outside. Without the dependencies their tests fail.
func TestPublicModules(t *testing.T) {
	modules := strings.Fields(os.Getenv("SANDBOX_MODULES"))
	if len(modules) == 0 {
		t.Fatal("SANDBOX_MODULES names no module; make workloads sets it")
	}
	image := compiledImage(t)
	p, err := startProxy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	o := options{image: image, proxy: p.url, timeout: 5 * time.Minute}
	for _, path := range modules {
		t.Run(path, func(t *testing.T) {
			dir := moduleDir(t, path)
			m, err := openModule(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer m.close()
			inside, err := m.test(t.Context(), o)
			if err != nil || !inside.passed() {
				t.Fatalf("%v: %s\n%s%s", err, inside.verdict(), inside.res.SetupLogs, inside.res.Logs)
			}
			if want, got := outside(t, dir), profile(inside.res.Artifacts[profilePath]); !slices.Equal(want, got) {
				t.Errorf("%d lines of coverage inside, %d outside, and they differ", len(got), len(want))
			}
			j := m.job(o, m.reader(), time.Minute, "go", "test", "./...")
			j.Setup = sandbox.Setup{}
			res, err := sandbox.RunOnce(t.Context(), j)
			if err != nil || res.ExitCode == 0 || !strings.Contains(string(res.Logs), "GOPROXY=off") {
				t.Error(errors.Join(err, fmt.Errorf("without Setup: exit status %d\n%s", res.ExitCode, res.Logs)))
			}
			t.Logf("%d lines of coverage", len(profile(inside.res.Artifacts[profilePath])))
		})
	}
}

func moduleDir(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// outside is the coverage of a copy of dir: a module cache is read-only.
func outside(t *testing.T, dir string) []string {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cover.out")
	cmd := exec.Command("go", "test", "-coverprofile="+file, "./...")
	cmd.Dir = copied
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("outside: %v\n%s", err, text)
	}
	return profile([]byte(read(t, file)))
}

func profile(text []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(lines)
	return lines
}
