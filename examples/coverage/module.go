package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

// goModule is a Go module to test: its source as a tar in a temporary file.
type goModule struct {
	name   string
	source *os.File
}

// openModule archives the source.
func openModule(ctx context.Context, path string) (*goModule, error) {
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err != nil {
		return nil, fmt.Errorf("%s is no Go module: %w", path, err)
	}
	name, err := command(ctx, path, "go", "list", "-m")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	source, err := os.CreateTemp("", "source-*.tar")
	if err != nil {
		return nil, err
	}
	m := &goModule{name: name, source: source}
	if err := archive(ctx, source, path); err != nil {
		m.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (m *goModule) close() {
	m.source.Close()
	os.Remove(m.source.Name())
}

// archive writes HEAD of a Git repository, or a directory as it is. The repository is a
// stranger's: its configuration can name programs, so HEAD is archived from a clone, which
// has none of it, and without this machine's own filters.
func archive(ctx context.Context, w io.Writer, path string) error {
	up, err := command(ctx, path, "git", "rev-parse", "--show-cdup")
	if err == nil && up == "" {
		clone, err := os.MkdirTemp("", "clone-*.git")
		if err != nil {
			return err
		}
		defer os.RemoveAll(clone)
		if _, err := command(ctx, path, "git", "clone", "--quiet", "--bare", "--no-local", "--no-tags", "--template=", ".", clone); err != nil {
			return err
		}
		var words bytes.Buffer
		git := exec.CommandContext(ctx, "git", "archive", "HEAD")
		git.Dir, git.Stdout, git.Stderr, git.Env = clone, w, &words, hostEnviron("GIT_DIR="+clone, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1")
		if err := git.Run(); err != nil {
			return fmt.Errorf("git archive HEAD: %w: %s", err, bytes.TrimSpace(words.Bytes()))
		}
		return nil
	}
	out := tar.NewWriter(w)
	if err := out.AddFS(os.DirFS(path)); err != nil {
		return err
	}
	return out.Close()
}

// job is a command on the module's source, sealed from every network. Its dependencies are
// downloaded before.
func (m *goModule) job(o options, source io.Reader, timeout time.Duration, cmd ...string) sandbox.Job {
	return sandbox.Job{
		Image:    o.image,
		Cmd:      cmd,
		Env:      sealed,
		WorkDir:  sandbox.DefaultInputDir,
		InputTar: source,
		Limits:   sandbox.Limits{MemoryMB: 4096, PIDs: 1024, Timeout: timeout, Network: "none"},
		Setup:    through(o.access, download(o.proxy)),
	}
}

// reader reads the source from its start.
func (m *goModule) reader() io.Reader { return io.NewSectionReader(m.source, 0, math.MaxInt64) }

// hostEnviron is the environment of commands on this machine that read a stranger's module:
// nothing in it makes them run something else, or ask anybody.
func hostEnviron(more ...string) []string {
	return append(append(os.Environ(),
		"GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOVCS=*:off", "GOFLAGS=",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=safe.bareRepository", "GIT_CONFIG_VALUE_0=explicit",
		"GIT_CONFIG_KEY_1=core.fsmonitor", "GIT_CONFIG_VALUE_1=false", "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0",
	), more...)
}

// command returns the trimmed output of a command that runs in dir.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = hostEnviron()
	var out []byte
	err := explain(cmd, func() (err error) {
		out, err = cmd.Output()
		return err
	})
	return strings.TrimSpace(string(out)), err
}

// explain adds a command's own words to its error.
func explain(cmd *exec.Cmd, run func() error) error {
	err := run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
