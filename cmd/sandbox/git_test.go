package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// git runs a command in a repository.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "protocol.file.allow=always"}, args...)...)
	output, err := c.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(name), 0o644))
	}
}

// listed is what is copied in of a repository, and what is said.
func listed(t *testing.T, dir string) (names []string, text string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	var said bytes.Buffer
	err = gitFiles(t.Context(), dir, root, func(name string) error { names = append(names, name); return nil }, streams{err: &said})
	require.NoError(t, err)
	return names, said.String()
}

// Whatever has become of what git tracks, the rest is copied in, and what is not is named.
func TestGitFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	git(t, other, "init", "-q")
	write(t, other, "f")
	git(t, other, "add", ".")
	git(t, other, "commit", "-qm", "all")
	git(t, dir, "init", "-q")
	write(t, dir, "kept", "deleted", "became-file/a", "became-link/a", "sub/new\nline")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-qm", "all")
	git(t, dir, "clone", "-q", other, "nested")
	git(t, dir, "submodule", "-q", "add", other, "module")
	require.NoError(t, os.Remove(filepath.Join(dir, "deleted")))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "became-file")))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "became-link")))
	write(t, dir, "became-file", "untracked")
	require.NoError(t, os.Symlink("sub", filepath.Join(dir, "became-link")))
	names, said := listed(t, dir)
	require.ElementsMatch(t, []string{".gitmodules", "kept", "became-file", "became-link", "sub/new\nline", "untracked"}, names)
	require.Contains(t, said, "not copied in: module is another git repository")
	require.Contains(t, said, "not copied in: nested/ is another git repository")
}

// A repository's configuration runs no program here.
func TestGitRunsNothing(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	write(t, dir, "f")
	mark := filepath.Join(t.TempDir(), "ran")
	hook := filepath.Join(t.TempDir(), "hook")
	require.NoError(t, os.WriteFile(hook, []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o755))
	git(t, dir, "config", "core.fsmonitor", hook)
	listed(t, dir)
	git(t, dir, "config", "--unset", "core.fsmonitor")

	// An ignored file's list that would have to be fetched.
	write(t, dir, ".gitignore")
	git(t, dir, "add", "--force", ".gitignore")
	git(t, dir, "update-index", "--skip-worktree", ".gitignore")
	blob, err := exec.Command("git", "-C", dir, "rev-parse", ":.gitignore").Output()
	require.NoError(t, err)
	id := string(blob[:40])
	require.NoError(t, os.Remove(filepath.Join(dir, ".git/objects", id[:2], id[2:])))
	require.NoError(t, os.Remove(filepath.Join(dir, ".gitignore")))
	for _, setting := range [][2]string{
		{"extensions.partialClone", "origin"}, {"remote.origin.promisor", "true"}, {"remote.origin.url", "ext::" + hook},
		{"protocol.ext.allow", "always"}, {"core.repositoryFormatVersion", "1"},
	} {
		git(t, dir, "config", setting[0], setting[1])
	}
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	gitFiles(t.Context(), dir, root, func(string) error { return nil }, streams{err: new(bytes.Buffer)}) // it can fail
	_, err = os.Stat(mark)
	require.ErrorIs(t, err, os.ErrNotExist)
}
