package rootfs

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GoCacheEnv is the instruction that gives an image the build cache that [GoToolchain]
// brought: the go command itself has no use for one that it cannot write to.
const GoCacheEnv = "ENV GOCACHEPROG=\"/" + goCacheDir + "/" + goCacheReader + " /" + goCacheDir + "\""

const (
	goCacheDir    = "usr/local/go/cache"
	goCacheReader = "reader" // the program in gocache/
)

// goCacheProgram is what the cache is filled with: the packages that a test with coverage
// needs in any case, and a few that many import.
const goCacheProgram = `package m

import (
	_ "encoding/hex"
	_ "crypto/sha256"
	_ "crypto/sha512"
	_ "fmt"
	_ "os"
	_ "path/filepath"
	_ "regexp"
	"testing"
)

func TestF(t *testing.T) { F() }
`

// GoCache keeps a build cache of the standard library, of this machine's toolchain, in a
// directory below bin in this module. It is filled once, which takes half a minute.
func GoCache() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/synchestra-io/sandbox").Output()
	if err != nil {
		return "", fmt.Errorf("directory of the module: %w", err)
	}
	cache := filepath.Join(string(bytes.TrimSpace(root)), "bin", "go-cache")
	module, err := os.MkdirTemp("", "gocache")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(module)
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26\n", "m.go": "package m\n\nfunc F() {}\n", "m_test.go": goCacheProgram,
	} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	fill := exec.Command("go", "test", "-count=1", "-coverprofile=cover.out", ".")
	fill.Dir = module
	fill.Env = append(os.Environ(), "GOCACHE="+cache, "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off")
	if text, err := fill.CombinedOutput(); err != nil {
		return "", fmt.Errorf("filling a build cache: %w\n%s", err, text)
	}
	reader := exec.Command("go", "build", "-o", filepath.Join(cache, goCacheReader), "github.com/synchestra-io/sandbox/internal/rootfs/gocache")
	reader.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := reader.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the reader of a build cache: %w\n%s", err, text)
	}
	return cache, nil
}

// addCache adds a build cache that everybody can read.
func addCache(out *tar.Writer, cache string) error {
	return filepath.WalkDir(cache, func(path string, entry fs.DirEntry, err error) error {
		name := goCacheDir + strings.TrimPrefix(path, cache)
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
		}
		return addFile(out, path, name)
	})
}
