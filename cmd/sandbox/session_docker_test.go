//go:build docker

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// What docs/session.md shows is what happens: its commands are run, in a shell, and say the same.
// UPDATE_SESSION=1 writes it anew.
func TestSession(t *testing.T) {
	const file = "../../docs/session.md"
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	before, session, found := strings.Cut(string(page), "```console\n")
	require.True(t, found)
	session, after, found := strings.Cut(session, "```\n")
	require.True(t, found)

	bin := t.TempDir()
	require.NoError(t, os.Symlink(built(), bin+"/sandbox"))
	others(t)
	dir := tree(t, map[string]string{"hello.sh": "echo hello from $(hostname), user $(id -u)\n", "work/notes": "1\n"})
	var got strings.Builder
	for line := range strings.Lines(session) {
		command, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
		if !is {
			continue
		}
		c := exec.Command("sh", "-c", command)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SANDBOX_IMAGE="+enginetest.Busybox())
		var said bytes.Buffer
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader(""), &said, &said
		c.Run() // some fail
		fmt.Fprintf(&got, "%s%s", line, steady(said.String()))
		nothingLeft(t)
	}
	if os.Getenv("UPDATE_SESSION") != "" {
		require.NoError(t, os.WriteFile(file, []byte(before+"```console\n"+got.String()+"```\n"+after), 0o644))
		return
	}
	require.Equal(t, session, got.String(), "run the test with UPDATE_SESSION=1 if this is meant")
}

// steady is what does not differ from one machine or time to the next.
func steady(text string) string {
	for pattern, instead := range map[string]string{
		`"seconds": [0-9.e-]+`: `"seconds": 0.42`, `sha256:[0-9a-f]{64}`: "sha256:0123...cdef",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, instead)
	}
	return text
}
