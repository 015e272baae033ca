package rootfs

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// GoCacheEnv is the instruction that gives an image the build cache that [GoToolchain]
// brought: the go command itself has no use for one that it cannot write to.
// What is new in it ends with each go command, so it is not for programs that read the
// files which go list -export names.
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

//go:embed gocache/main.go
var goCacheSource []byte

// GoCache returns a directory with a build cache of the standard library, of this machine's
// toolchain, and the program that reads it. It is below bin in this module, which must be
// found from the working directory. It is made once, in half a minute, and never changed.
func GoCache() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/synchestra-io/sandbox").Output()
	if err != nil {
		return "", fmt.Errorf("directory of the module: %w", err)
	}
	bin := filepath.Join(string(bytes.TrimSpace(root)), "bin")
	version := sha256.Sum256(append([]byte(runtime.Version()+goCacheProgram), goCacheSource...))
	cache := filepath.Join(bin, fmt.Sprintf("go-cache-%s-%x", runtime.Version(), version[:4]))
	if _, err := os.Stat(cache); err == nil {
		return cache, nil
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(bin, "go-cache-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := fillGoCache(filepath.Join(dir, "cache"), filepath.Join(dir, "module")); err != nil {
		return "", fmt.Errorf("filling a build cache: %w", err)
	}
	err = os.Rename(filepath.Join(dir, "cache"), cache)
	if _, made := os.Stat(cache); made == nil { // by another process, perhaps
		err = nil
	}
	return cache, err
}

// fillGoCache tests a small module with a new cache, and builds the reader.
func fillGoCache(cache, module string) error {
	if err := os.Mkdir(module, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26\n", "m.go": "package m\n\nfunc F() {}\n", "m_test.go": goCacheProgram,
		"reader.go": string(goCacheSource),
	} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"test", "-count=1", "-coverprofile=cover.out", "m.go", "m_test.go"},
		{"build", "-o", filepath.Join(cache, goCacheReader), "reader.go"},
	} {
		command := exec.Command("go", args...)
		command.Dir = module
		command.Env = append(os.Environ(), "GOCACHE="+cache, "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux", "GOARCH="+runtime.GOARCH,
			"GOTOOLCHAIN=local", "GOWORK=off")
		if text, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", args[0], err, text)
		}
	}
	return nil
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
