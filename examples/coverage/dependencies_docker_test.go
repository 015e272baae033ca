//go:build docker

package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// witness is what every program of the tests writes when it is run.
const witness = "/tmp/ran"

// programs is a directory with what the go command runs if it is allowed to: each writes
// its name to the witness.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	content := read(t, busybox)
	script := "#!/programs/busybox sh\necho \"${0##*/} $*\" >>" + witness + "\nexit 1\n"
	for name, text := range map[string]string{
		"busybox": content, "git": script, "hg": script, "svn": script, "bzr": script, "fossil": script, "ssh": script, "gcc": script, "pkg-config": script, "evil": script,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// evilModules is a directory in the form of the proxy protocol, with a harmless module, one
// with code of every kind, and a toolchain.
func evilModules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	add := func(path, version string, all files) {
		at := filepath.Join(dir, filepath.FromSlash(path), "@v")
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		for name, text := range all {
			h := &zip.FileHeader{Name: path + "@" + version + "/" + name}
			h.SetMode(0o755)
			out, err := w.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(out, text)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(at, version+".zip"), archive.String())
		write(t, filepath.Join(at, version+".mod"), all["go.mod"])
		write(t, filepath.Join(at, version+".info"), fmt.Sprintf(`{"Version": %q, "Time": "2026-01-01T00:00:00Z"}`, version))
	}
	add("example.com/dep", "v1.0.0", files{"go.mod": "module example.com/dep\n", "d.go": "package dep\n\nconst V = 1\n"})
	add("example.com/evil", "v1.0.0", files{
		"go.mod":      "module example.com/evil\n\ngo 1.26\n\ntool example.com/evil/cmd\n",
		"e.go":        "package evil\n\n//go:generate evil\n\n// #cgo pkg-config: evil\nimport \"C\"\n\nfunc init() { panic(1) }\n",
		"cmd/main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.WriteFile(\"" + witness + "\", []byte(\"tool\"), 0o644) }\n",
	})
	toolchain := "v0.0.1-go1.99.0." + runtime.GOOS + "-" + runtime.GOARCH
	evil := "#!/programs/busybox sh\necho toolchain >>" + witness + "\n"
	add("golang.org/toolchain", toolchain, files{"go.mod": "module golang.org/toolchain\n", "bin/go": evil, "VERSION": "go1.99.0\n"})
	return dir
}

const mainModule = "module example.com/m\n\ngo 1.26\n"

// fetches is what the go command says before it executes another one, which it does only if
// a checksum database knows that one: where the attacker can have no database of its own.
const fetches = "downloading go1.99.0 "

// waysOut are modules that want to run something while their dependencies are downloaded.
// Without download's environment those that are marked do.
var waysOut = map[string]struct {
	files files
	ran   string // without download's environment, "" = nothing
	said  string // what the go command says then
	env   map[string]string
	works bool // the dependencies are downloaded, and without the environment too
}{
	"a dependency from a repository": {files{"go.mod": mainModule + "\nrequire evil.example/x.git v1.0.0\n"}, "git", "", nil, false},
	"from one of another kind":       {files{"go.mod": mainModule + "\nrequire evil.example/x.hg v1.0.0\n"}, "hg", "", nil, false},
	"a replacement from one":         {files{"go.mod": mainModule + "\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => evil.example/x.git v1.0.0\n"}, "git", "", nil, false},
	"a toolchain line":               {files{"go.mod": mainModule + "\ntoolchain go1.99.0\n"}, "", fetches, nil, false},
	"a go line of the future":        {files{"go.mod": "module example.com/m\n\ngo 1.99.0\n"}, "", fetches, nil, false},
	"a toolchain of a workspace":     {files{"go.mod": mainModule, "go.work": "go 1.26\n\ntoolchain go1.99.0\n\nuse .\n"}, "", fetches, nil, false},
	"a workspace with repositories":  {files{"go.mod": mainModule, "go.work": "go 1.26\n\nuse (\n\t.\n\t./other\n)\n", "other/go.mod": "module example.com/o\n\ngo 1.26\n\nrequire evil.example/x.git v1.0.0\n"}, "git", "", nil, false},
	"settings in HOME": {files{"go.mod": mainModule + "\nrequire example.com/dep v1.0.0\n", ".config/go/env": "GOPROXY=direct\nGOPRIVATE=*\nGOAUTH=evil\n"}, "", "",
		map[string]string{"HOME": sandbox.DefaultInputDir}, true},
	"a repository of its own":      {files{"go.mod": mainModule + "\nrequire example.com/dep v1.0.0\n", ".git/config": "[core]\n\tfsmonitor = /programs/evil\n\tsshCommand = /programs/evil\n", ".git/HEAD": "ref: refs/heads/main\n"}, "", "", nil, true},
	"code of every kind":           {files{"go.mod": mainModule + "\nrequire example.com/evil v1.0.0\n\ntool example.com/evil/cmd\n", "m.go": "package m\n\n//go:generate evil\n\nimport _ \"example.com/evil\"\n"}, "", "", nil, true},
	"a vendor directory":           {files{"go.mod": mainModule + "\nrequire example.com/evil v1.0.0\n", "vendor/modules.txt": "# example.com/evil v1.0.0\n## explicit\nexample.com/evil\n", "vendor/example.com/evil/e.go": "package evil\n"}, "", "", nil, true},
	"a directory that it replaces": {files{"go.mod": mainModule + "\nrequire example.com/evil v1.0.0\n\nreplace example.com/evil => ./evil\n", "evil/go.mod": "module example.com/evil\n\ntool example.com/evil/cmd\n"}, "", "", nil, true},
}

func TestDownload(t *testing.T) {
	image, proxy := compiledImage(t), evilModules(t)
	t.Run("RunsNothing", func(t *testing.T) { testDownloadRunsNothing(t, image, proxy) })
	t.Run("IsNeeded", func(t *testing.T) { testDependencies(t, image, proxy) })
}

// Whatever a module and the files beside it say, the download of its dependencies runs
// nothing of it, and no program that talks to repositories.
func testDownloadRunsNothing(t *testing.T, image, proxy string) {
	bin := programs(t)
	for name, way := range waysOut {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var input []tarball.File
			for file, text := range way.files {
				input = append(input, tarball.File{Name: file, Body: text})
			}
			run := func(setup sandbox.Setup) (ran, said string) {
				maps.Copy(setup.Env, way.env)
				setup.Network = "none"
				res, err := sandbox.RunOnce(t.Context(), sandbox.Job{
					Image: image, InputTar: bytes.NewReader(tarball.Of(input...)), WorkDir: sandbox.DefaultInputDir,
					// Setup's status does not matter, only what it ran.
					Setup: sandbox.Setup{Cmd: append([]string{"/programs/busybox", "sh", "-c", `"$@"; echo status $?`, "sh"}, setup.Cmd...), Env: setup.Env, Network: setup.Network},
					Cmd:   []string{"/programs/busybox", "sh", "-c", "/programs/busybox cat " + witness},
					Env:   map[string]string{"PATH": "/programs:/usr/local/go/bin"},
					Mounts: []sandbox.Mount{
						{Source: bin, Target: "/programs", ReadOnly: true}, {Source: proxy, Target: "/proxy", ReadOnly: true},
					},
					Limits: sandbox.Limits{Network: "none", MemoryMB: 2048, PIDs: 512},
				})
				if err != nil || res.SetupFailed {
					t.Fatalf("%v\n%s", err, res.SetupLogs)
				}
				return string(bytes.TrimPrefix(res.Logs, []byte("cat: can't open '"+witness+"': No such file or directory\n"))), string(res.SetupLogs)
			}
			if ran, said := run(download("file:///proxy")); ran != "" || way.said != "" && strings.Contains(said, way.said) {
				t.Errorf("it ran %s\n%s", ran, said)
			} else if way.works && !strings.Contains(said, "status 0\n") {
				t.Errorf("nothing was downloaded:\n%s", said)
			}
			careless := sandbox.Setup{Cmd: download("").Cmd, Env: map[string]string{"GOPROXY": "file:///proxy,direct", "GOTOOLCHAIN": "auto", "GOSUMDB": "off"}}
			if ran, said := run(careless); !strings.HasPrefix(ran, way.ran) || !strings.Contains(said, way.said) {
				t.Errorf("without the environment it does not do that, so the test shows nothing: %q\n%s", ran, said)
			}
		})
	}
}

// The proxy has what the machine has downloaded, but for private modules, and nothing else.
func TestModuleProxy(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"example.com/!dep/@v/v1.0.0.mod", "example.com/private/@v/v1.0.0.mod", "sumdb/x", "../outside"} {
		write(t, filepath.Join(dir, "cache", "download", file), file)
	}
	t.Setenv("GOMODCACHE", dir)
	t.Setenv("GOPRIVATE", "example.com/priv*")
	p, err := startProxy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for path, status := range map[string]int{
		"/example.com/!dep/@v/v1.0.0.mod": http.StatusOK, "/example.com/private/@v/v1.0.0.mod": http.StatusNotFound,
		"/sumdb/x": http.StatusNotFound, "/": http.StatusNotFound, "/example.com/!dep/@v/../../../../outside": http.StatusNotFound,
		"/example.com/!dep/@v/../../private/@v/v1.0.0.mod": http.StatusNotFound, "/example.com/!dep/@v/": http.StatusNotFound,
		"/example.com/none/@v/v1.0.0.mod": http.StatusNotFound,
	} {
		ask, err := http.NewRequest(http.MethodGet, p.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		ask.URL.Path += path // as it is
		answer, err := http.DefaultTransport.RoundTrip(ask)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("%s: status %d, want %d", path, answer.StatusCode, status)
		}
	}
	if answer, err := http.Get(strings.TrimSuffix(p.url, filepath.Base(p.url)) + "example.com/!dep/@v/v1.0.0.mod"); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("without its name: %v, %v", answer, err)
	}
}

// Without Setup the tests of a module with dependencies fail for want of them.
func testDependencies(t *testing.T, image, proxy string) {
	for _, setup := range []sandbox.Setup{download("file:///proxy"), {}} {
		if len(setup.Cmd) > 0 {
			setup.Network = "none"
		}
		res, err := sandbox.RunOnce(t.Context(), sandbox.Job{
			Image: image, Cmd: []string{"go", "test", "./..."}, Env: maps.Clone(sealed), WorkDir: sandbox.DefaultInputDir, Setup: setup,
			InputTar: bytes.NewReader(tarball.Of(
				tarball.File{Name: "go.mod", Body: mainModule + "\nrequire example.com/dep v1.0.0\n"},
				tarball.File{Name: "m_test.go", Body: "package m\n\nimport (\n\t\"testing\"\n\n\t\"example.com/dep\"\n)\n\nfunc Test(t *testing.T) {\n\tif dep.V != 1 {\n\t\tt.Fail()\n\t}\n}\n"},
				tarball.File{Name: "go.sum", Body: sums(t, proxy)},
			)),
			Mounts: []sandbox.Mount{{Source: proxy, Target: "/proxy", ReadOnly: true}},
			Limits: sandbox.Limits{Network: "none"},
		})
		if err != nil || res.SetupFailed {
			t.Fatalf("%v\n%s", err, res.SetupLogs)
		}
		if passed := res.ExitCode == 0; passed != (len(setup.Cmd) > 0) {
			t.Errorf("exit status %d after Setup %q\n%s%s", res.ExitCode, setup.Cmd, res.SetupLogs, res.Logs)
		}
	}
}

// sums is the go.sum for the harmless module of a proxy.
func sums(t *testing.T, proxy string) string {
	t.Helper()
	at := filepath.Join(proxy, "example.com", "dep", "@v", "v1.0.0")
	content, err := dirhash.HashZip(at+".zip", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(at + ".mod") })
	if err != nil {
		t.Fatal(err)
	}
	return "example.com/dep v1.0.0 " + content + "\nexample.com/dep v1.0.0/go.mod " + mod + "\n"
}
