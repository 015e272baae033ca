//go:build docker

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/tarball"
)

// The output of the command is that of this program, byte for byte, and so is its exit status.
func TestStreamsAndStatus(t *testing.T) {
	content := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(content)
	got := run(t, t.TempDir(), bytes.NewReader(content), append(sealed(), "sh", "-c", `cat; printf 'a\r\0\377' >&2; exit 42`)...)
	require.Equal(t, ended{string(content), "a\r\x00\xff", 42}, got)
	got = run(t, t.TempDir(), strings.NewReader("unread"), append(sealed("--no-stdin"), "cat")...)
	require.Equal(t, ended{}, got)
}

// What is in the directory is what the command has, in its working directory.
func TestInput(t *testing.T) {
	dir := tree(t, map[string]string{"a": "1", "deep/b": "2", ".git/config": "3", "sub/.git": "4", "ignored": "5", ".gitignore": "ignored\n"})
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(dir, "a"), 0o755))
	const list = `pwd; find . | sort; cat link; test -x a && echo executable`
	require.Equal(t, "/workspace\n.\n./.gitignore\n./a\n./deep\n./deep/b\n./empty\n./ignored\n./link\n./sub\n1executable\n", shell(t, dir, list).out)
	require.Contains(t, shell(t, dir, list, "--with-git").out, "./.git/config\n")
	require.Equal(t, "/in\n.\n./b\n", shell(t, dir, "pwd; find . | sort", "--input", "deep", "--input-dir", "/in").out)
	require.Equal(t, "/\n", shell(t, dir, "pwd", "--no-input").out)

	require.NoError(t, os.RemoveAll(filepath.Join(dir, ".git")))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "sub")))
	output, err := exec.Command("git", "-C", dir, "init", "-q").CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Equal(t, ".\n./.gitignore\n./a\n./deep\n./deep/b\n./link\n", shell(t, dir, "find . | sort", "--git").out)

	archive := tarball.Of(tarball.File{Name: "f", Body: "from a tar"})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in.tar"), archive, 0o644))
	require.Equal(t, "from a tar", shell(t, dir, "cat f", "--input", "in.tar").out)
	require.NoError(t, os.Symlink("deep", filepath.Join(dir, "to-deep")))
	require.Equal(t, "2", shell(t, dir, "cat b", "--input", "to-deep").out)
	got := run(t, dir, bytes.NewReader(archive), append(sealed("--input", "-"), "sh", "-c", "cat f; cat")...)
	require.Equal(t, ended{out: "from a tar"}, got)
}

// Files come back below the directory that was named, and replace nothing unless they may.
func TestCollect(t *testing.T) {
	dir := tree(t, map[string]string{"in/keep": "mine", "elsewhere/x": "mine"})
	in := filepath.Join(dir, "in")
	const make = `echo 1 >keep; mkdir out; echo 2 >out/f; echo 3 >out/run; chmod +x out/run`
	got := shell(t, in, make, "--collect", "out", "--output", "../new", "--collect", "none")
	require.Equal(t, 125, got.status)
	require.Equal(t, "sandbox: not collected: \"/workspace/none\": file does not exist\n", got.err)
	content, err := os.ReadFile(filepath.Join(dir, "new/out/f"))
	require.NoError(t, err)
	require.Equal(t, "2\n", string(content))
	info, err := os.Stat(filepath.Join(dir, "new/out/run"))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100)

	got = shell(t, in, make, "--collect", "/workspace/keep")
	require.Equal(t, 125, got.status)
	require.Equal(t, "sandbox: keep exists; use --force to overwrite it, or another --output\n", got.err)
	got = shell(t, in, make, "--collect", "/workspace")
	require.Equal(t, 125, got.status)
	require.Contains(t, got.err, "sandbox: collect: OutputTar: keep exists;")
	content, _ = os.ReadFile(filepath.Join(in, "keep"))
	require.Equal(t, "mine", string(content))
	require.Zero(t, shell(t, in, make, "--collect", "keep", "--force").status)
	content, _ = os.ReadFile(filepath.Join(in, "keep"))
	require.Equal(t, "1\n", string(content))

	// A link in the way leads nowhere else.
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "new/out")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "new/out")))
	got = shell(t, in, "mkdir out; echo evil >out/x", "--collect", "out", "--output", "../new", "--force")
	require.Equal(t, 125, got.status, got.err)
	content, _ = os.ReadFile(filepath.Join(dir, "elsewhere/x"))
	require.Equal(t, "mine", string(content))
}

func TestEndings(t *testing.T) {
	dir := t.TempDir()
	got := shell(t, dir, "sleep 100", "--timeout", "1s")
	require.Equal(t, ended{"", "sandbox: the command was killed after 1s (--timeout)\n", 124}, got)
	got = shell(t, dir, "exec tail /dev/zero", "--memory", "64m")
	require.Equal(t, ended{"", "sandbox: the command, or a part of it, was killed: it needed more than --memory 64m\n", 137}, got)
	got = shell(t, dir, "cat /dev/zero >/tmp/f 2>/dev/null; true", "--disk", "16m")
	require.Equal(t, ended{"", "sandbox: the disk was full (--disk 16m)\n", 0}, got)
	got = shell(t, dir, "echo never", "--setup", "echo preparing; exit 3", "--setup-network", "none")
	require.Equal(t, ended{"", "preparing\nsandbox: --setup ended with status 3; the command was not run\n", 125}, got)
	got = shell(t, dir, "cat made", "--setup", "echo prepared >made", "--setup-network", "none")
	require.Equal(t, ended{out: "prepared\n"}, got)
	got = run(t, dir, nil, append(sealed("--image", "127.0.0.1:1/nobody:v1"), "true")...)
	require.Equal(t, 125, got.status)
	require.Contains(t, got.err, `sandbox: pull: "127.0.0.1:1/nobody:v1"`)
	got = run(t, dir, nil, append(sealed("--pull", "never", "--image", "nobody:v1"), "true")...)
	require.Equal(t, 125, got.status)
	got = shell(t, dir, "echo $A $B; hostname", "--env", "A=1 2", "--env", "SANDBOX_IMAGE", "--cpus", "0.5", "--pids", "50", "--workdir", "/tmp")
	require.Equal(t, "1 2\nsandbox\n", got.out)
	got = run(t, dir, nil, append(sealed("--env", "NO_SUCH_VARIABLE"), "true")...)
	require.Equal(t, 125, got.status)
	require.Contains(t, got.err, "write --env NO_SUCH_VARIABLE=VALUE")
}

func TestJSON(t *testing.T) {
	got := shell(t, tree(t, map[string]string{"f": "12"}), "cat f; echo warning >&2; cp f g; exit 3", "--json", "--collect", "g", "--collect", "none", "--output", t.TempDir())
	require.Equal(t, 3, got.status)
	require.Empty(t, got.err)
	var res result
	require.NoError(t, json.Unmarshal([]byte(got.out), &res))
	require.Equal(t, 3, res.ExitCode)
	require.Contains(t, res.Logs, "12")
	require.Contains(t, res.Logs, "warning\n")
	require.Equal(t, []file{{"g", 2}}, res.Artifacts)
	require.Contains(t, res.Uncollected["/workspace/none"], "does not exist")
	require.True(t, strings.HasPrefix(res.ImageID, "sha256:"))
}

// Whoever reads the output can stop, and nothing is left.
func TestClosedPipe(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	c := start(t, t.TempDir(), append(sealed(), "yes")...)
	c.Stdout = writer
	require.NoError(t, c.Start())
	writer.Close()
	_, err = io.ReadFull(reader, make([]byte, 100))
	require.NoError(t, err)
	reader.Close()
	require.Error(t, c.Wait())
	require.Equal(t, 125, c.ProcessState.ExitCode())
	nothingLeft(t)
}
