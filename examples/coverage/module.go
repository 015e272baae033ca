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

// module is a Go module to test: its source as a tar in a temporary file, and
// where the host keeps the downloads of its dependencies.
type module struct {
	name      string
	source    *os.File
	downloads string
}

// openModule archives the source and downloads the dependencies.
func openModule(ctx context.Context, path string) (*module, error) {
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err != nil {
		return nil, fmt.Errorf("%s is no Go module: %w", path, err)
	}
	name, err := command(ctx, path, "go", "list", "-m")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := working("downloading the dependencies of "+name, func() error {
		_, err := command(ctx, path, "go", "mod", "download")
		return err
	}); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	cache, err := command(ctx, path, "go", "env", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	source, err := os.CreateTemp("", "source-*.tar")
	if err != nil {
		return nil, err
	}
	m := &module{name: name, source: source, downloads: filepath.Join(cache, "cache", "download")}
	if err := os.MkdirAll(m.downloads, 0o755); err != nil { // nothing was ever downloaded
		m.close()
		return nil, err
	}
	if err := archive(ctx, source, path); err != nil {
		m.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (m *module) close() {
	m.source.Close()
	os.Remove(m.source.Name())
}

// archive writes HEAD of a Git repository, or a directory as it is.
func archive(ctx context.Context, w io.Writer, path string) error {
	up, err := command(ctx, path, "git", "rev-parse", "--show-cdup")
	if err == nil && up == "" {
		var words bytes.Buffer
		git := exec.CommandContext(ctx, "git", "archive", "HEAD")
		git.Dir, git.Stdout, git.Stderr = path, w, &words
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

// job is a command on the module's source, sealed from every network.
func (m *module) job(image string, source io.Reader, timeout time.Duration, cmd ...string) sandbox.Job {
	return sandbox.Job{
		Image:    image,
		Cmd:      cmd,
		WorkDir:  sandbox.DefaultInputDir,
		InputTar: source,
		Env: map[string]string{
			"GOPROXY": "file:///downloads", // what go mod download fetched
			"GOSUMDB": "off",               // go.sum decides, no server can be asked
			"GOFLAGS": "-modcacherw",
		},
		Mounts: []sandbox.Mount{{Source: m.downloads, Target: "/downloads", ReadOnly: true}},
		Limits: sandbox.Limits{MemoryMB: 4096, PIDs: 1024, Timeout: timeout, Network: "none"},
	}
}

// reader reads the source from its start.
func (m *module) reader() io.Reader { return io.NewSectionReader(m.source, 0, math.MaxInt64) }

// command returns the trimmed output of a command that runs in dir.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "GOWORK=off") // the module alone is in the sandbox
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
