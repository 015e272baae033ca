//go:build docker && workloads

package behaviour_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// ranFile is what all hostile code of these tests writes.
const ranFile = "/tmp/ran"

// registry serves files to containers on the engine's bridge.
func registry(t *testing.T, files map[string][]byte) string {
	t.Helper()
	bridge, err := enginetest.API.NetworkInspect(t.Context(), "bridge", network.InspectOptions{})
	require.NoError(t, err)
	subnet, err := netip.ParsePrefix(bridge.IPAM.Config[0].Subnet)
	require.NoError(t, err)
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		own, err := netip.ParsePrefix(a.String())
		if err != nil || !subnet.Contains(own.Addr()) {
			continue
		}
		l, err := net.Listen("tcp", netip.AddrPortFrom(own.Addr(), 0).String())
		require.NoError(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if content, found := files[r.URL.Path]; found {
				w.Write(content)
				return
			}
			http.NotFound(w, r)
		})}
		served := make(chan struct{})
		go func() { defer close(served); server.Serve(l) }()
		t.Cleanup(func() { server.Close(); <-served })
		return "http://" + l.Addr().String()
	}
	require.Fail(t, "the engine's bridge is not of this machine")
	return ""
}

// recipe is one of docs/dependencies.md.
type recipe struct {
	language string
	cmd      []string
	env      map[string]string // of the recipe, without which its command is careless
	careless []string          // the command without what the recipe adds to it; nil = cmd
	input    []tarball.File    // hostile; its harmless dependency is there all the same
	use      []string          // of that dependency, prints "1\n"; nil = the recipe refuses the input
}

// Each recipe fetches what it can without running any of the code that comes with it; without the recipe
// it is run.
func (r recipe) check(t *testing.T) {
	t.Helper()
	j := sandbox.Job{
		Image: workload{language: r.language}.image(t), WorkDir: "/workspace", Cmd: []string{"sh", "-c", "cat " + ranFile + "; true"},
		Limits: sandbox.Limits{Network: "none", Timeout: time.Minute, PIDs: 256, MemoryMB: 1024},
	}
	// Setup's status does not matter, only what it ran.
	run := func(cmd []string, env map[string]string) string {
		j.InputTar = bytes.NewReader(tarball.Of(r.input...))
		j.Setup = sandbox.Setup{Cmd: append([]string{"sh", "-c", `"$@"; echo status $?`, "sh"}, cmd...), Env: env, Timeout: 2 * time.Minute}
		res := runtest.OK(t, j)
		require.False(t, res.SetupFailed, "%s", res.SetupLogs)
		t.Logf("%q: %s%s", cmd, res.SetupLogs, res.Logs)
		return string(bytes.TrimPrefix(res.Logs, []byte("cat: "+ranFile+": No such file or directory\n")))
	}
	require.Empty(t, run(r.cmd, r.env))
	careless := r.careless
	if careless == nil {
		careless = r.cmd
	}
	require.NotEmpty(t, run(careless, map[string]string{"npm_config_registry": r.env["npm_config_registry"], "PIP_INDEX_URL": r.env["PIP_INDEX_URL"], "PIP_TRUSTED_HOST": r.env["PIP_TRUSTED_HOST"]}), "the test shows nothing")
	if r.use == nil {
		return
	}
	j.Cmd = r.use
	j.InputTar = bytes.NewReader(tarball.Of(r.input...))
	j.Setup = sandbox.Setup{Cmd: r.cmd, Env: r.env, Timeout: 2 * time.Minute}
	res := runtest.OK(t, j)
	require.False(t, res.SetupFailed, "%s", res.SetupLogs)
	require.Equal(t, "1\n", string(res.Logs))
}

const writeRan = "echo $0 >>" + ranFile

// npmPackage is a package as npm packs it.
func npmPackage(files map[string]string) (content []byte, integrity string) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	for name, text := range files {
		w.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg})
		w.Write([]byte(text))
	}
	w.Close()
	z.Close()
	sum := sha512.Sum512(packed.Bytes())
	return packed.Bytes(), "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func TestDependenciesOfNode(t *testing.T) {
	dep, depSum := npmPackage(map[string]string{"package.json": `{"name": "dep", "version": "1.0.0"}`, "index.js": "module.exports = 1\n"})
	evil, evilSum := npmPackage(map[string]string{
		"package.json": fmt.Sprintf(`{"name": "evil", "version": "1.0.0", "scripts": {"preinstall": %q, "install": %[1]q, "postinstall": %[1]q, "prepare": %[1]q}}`, writeRan),
		"index.js":     "module.exports = 2\n",
		"binding.gyp":  "{}\n",
	})
	at := registry(t, map[string][]byte{"/dep/-/dep-1.0.0.tgz": dep, "/evil/-/evil-1.0.0.tgz": evil})
	env := map[string]string{
		"npm_config_ignore_scripts": "true", "npm_config_git": "false", "npm_config_registry": at, "npm_config_userconfig": "/dev/null",
		"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false",
	}
	program := "#!/bin/sh\n" + writeRan + "\nexit 1\n"
	project := func(git, npmrc string) []tarball.File {
		dependencies := `"dep": "1.0.0", "evil": "1.0.0"`
		locked := fmt.Sprintf(`"node_modules/dep": {"version": "1.0.0", "resolved": %q, "integrity": %q}, "node_modules/evil": {"version": "1.0.0", "resolved": %q, "integrity": %q, "hasInstallScript": true}`,
			at+"/dep/-/dep-1.0.0.tgz", depSum, at+"/evil/-/evil-1.0.0.tgz", evilSum)
		if git != "" {
			dependencies += `, "repository": "` + git + `"`
			locked += fmt.Sprintf(`, "node_modules/repository": {"version": "1.0.0", "resolved": %q}`, git+"#0123456789abcdef0123456789abcdef01234567")
		}
		scripts := fmt.Sprintf(`{"preinstall": %q, "postinstall": %[1]q, "prepare": %[1]q}`, writeRan)
		files := []tarball.File{
			{Name: "package.json", Body: fmt.Sprintf(`{"name": "p", "version": "1.0.0", "scripts": %s, "dependencies": {%s}}`, scripts, dependencies)},
			{Name: "package-lock.json", Body: fmt.Sprintf(`{"name": "p", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "p", "version": "1.0.0", "dependencies": {%s}}, %s}}`, dependencies, locked)},
			{Name: "evil-git", Body: program, Mode: 0o755}, {Name: "evil-shell", Body: program, Mode: 0o755},
		}
		if npmrc != "" {
			files = append(files, tarball.File{Name: ".npmrc", Body: npmrc})
		}
		return files
	}
	r := recipe{language: "node", env: env, careless: []string{"npm", "ci"},
		cmd: []string{"sh", "-c", "test ! -e .npmrc && exec npm ci --ignore-scripts"}}
	require.Contains(t, recipes(t), "sh -c '"+r.cmd[2]+"'")
	for name, c := range map[string]struct {
		git, npmrc string
		use        []string
	}{
		"scripts":      {"", "", []string{"node", "-p", `require("dep")`}},
		"scripts on":   {"", "ignore-scripts=false\n", nil},
		"a shell":      {"", "script-shell=/workspace/evil-shell\n", nil},
		"a repository": {"git+https://evil.example/x.git", "git=/workspace/evil-git\n", nil},
	} {
		one := r
		one.input, one.use = project(c.git, c.npmrc), c.use
		t.Run(name, func(t *testing.T) { t.Parallel(); one.check(t) })
	}
}

// recipes is docs/dependencies.md.
func recipes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "dependencies.md"))
	require.NoError(t, err)
	return string(text)
}

// zipOf is a wheel, or a source archive that pip takes as well.
func zipOf(files map[string]string) []byte {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for name, text := range files {
		out, _ := w.Create(name)
		out.Write([]byte(text))
	}
	w.Close()
	return packed.Bytes()
}

func TestDependenciesOfPython(t *testing.T) {
	backend := "import os\n\ndef ran(*args, **kwargs):\n    open('" + ranFile + "', 'a').write('backend')\n    raise SystemExit(1)\n\n" +
		"build_wheel = build_sdist = build_editable = get_requires_for_build_wheel = get_requires_for_build_editable = prepare_metadata_for_build_wheel = prepare_metadata_for_build_editable = ran\n"
	source := map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\n[project]\nname = \"evil\"\nversion = \"1.0.0\"\n",
		"backend.py":     backend, "PKG-INFO": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0.0\n",
	}
	packed := map[string]string{}
	for name, text := range source {
		packed["evil-1.0.0/"+name] = text
	}
	files := map[string][]byte{
		"/dep/": []byte(`<a href="/files/dep-1.0.0-py3-none-any.whl">dep-1.0.0-py3-none-any.whl</a>`),
		"/files/dep-1.0.0-py3-none-any.whl": zipOf(map[string]string{
			"dep.py": "V = 1\n", "dep-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: dep\nVersion: 1.0.0\n",
			"dep-1.0.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "dep-1.0.0.dist-info/RECORD": "",
		}),
		"/evil/": []byte(`<a href="/files/evil-1.0.0.zip">evil-1.0.0.zip</a>`), "/files/evil-1.0.0.zip": zipOf(packed),
	}
	env := map[string]string{"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
	env["PIP_INDEX_URL"] = registry(t, files)
	index, err := url.Parse(env["PIP_INDEX_URL"])
	require.NoError(t, err)
	env["PIP_TRUSTED_HOST"] = index.Hostname() // it has no TLS
	_, text, found := strings.Cut(recipes(t), "## Python\n\n    ")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n\n")
	r := recipe{language: "python", env: env, cmd: []string{"sh", "-c", text}, careless: []string{"pip3", "install", "--target", "/workspace/deps", "-r", "requirements.txt"}}
	project := func(requirements string) []tarball.File {
		list := []tarball.File{{Name: "requirements.txt", Body: requirements}, {Name: "pip.conf", Body: "[install]\nno-binary = :all:\n"}}
		for name, text := range source {
			list = append(list, tarball.File{Name: name, Body: text}, tarball.File{Name: "sub/" + name, Body: text})
		}
		return append(list, tarball.File{Name: "evil-1.0.0.zip", Body: string(zipOf(packed))})
	}
	for name, requirements := range map[string]string{
		"a source archive": "dep==1.0.0\nevil==1.0.0\n", "an option": "--no-binary evil\nevil==1.0.0\n", "this directory": ".\n", "editable": "-e .\n",
		"an indented option": "dep==1.0.0\n  -e .\n", "by its path": "/workspace\n", "by an address": "evil @ file:///workspace\n", "a directory": "sub/\n",
		"another end of line": "dep==1.0.0\r-e .\n", "a mark at its start": "\ufeff-e .\n", "another encoding": "# coding: utf-7\n+AC0-e .\n", "an archive": "evil-1.0.0.zip\n",
	} {
		c := r
		c.input = project(requirements)
		t.Run(name, func(t *testing.T) { t.Parallel(); c.check(t) })
	}
	harmless := r
	harmless.input = project("dep==1.0.0\n")
	t.Run("a wheel", func(t *testing.T) {
		t.Parallel()
		j := sandbox.Job{
			Image: workload{language: "python"}.image(t), WorkDir: "/workspace", InputTar: bytes.NewReader(tarball.Of(harmless.input...)),
			Cmd: []string{"python3", "-c", "import dep; print(dep.V)"}, Env: map[string]string{"PYTHONPATH": "/workspace/deps"},
			Setup: sandbox.Setup{Cmd: harmless.cmd, Env: maps.Clone(env)}, Limits: sandbox.Limits{Network: "none"},
		}
		res := runtest.OK(t, j)
		require.False(t, res.SetupFailed, "%s", res.SetupLogs)
		require.Equal(t, "1\n", string(res.Logs))
	})
}
