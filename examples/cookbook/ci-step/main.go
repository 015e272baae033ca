// Ci-step runs the tests of the Git repository in this directory. What it downloads is kept in a file, for
// the next time. Only the download has a network; the tests have none.
//
//	ci-step -image golang:1.26 -cache downloads.tar
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/synchestra-io/sandbox"
)

// cacheDir is where downloads are, below the input's directory.
const cacheDir = ".downloads"

func main() {
	image := flag.String("image", "golang:1.26", "image with a Go toolchain")
	cache := flag.String("cache", "downloads.tar", "file that keeps downloads")
	download := flag.String("download", "go mod download", "command that downloads")
	test := flag.String("test", "go test ./...", "command that tests")
	network := flag.String("network", "bridge", "network of the download")
	flag.Parse()
	res, err := run(*image, *cache, *download, *test, *network)
	if err != nil {
		log.Fatal(err)
	}
	switch {
	case res.SetupFailed:
		fmt.Println("the download failed")
	case res.TimedOut:
		fmt.Println("the tests took too long")
	}
	if res.ExitCode != 0 {
		os.Exit(1)
	}
}

func run(image, cache, download, test, network string) (sandbox.Result, error) {
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() { writer.CloseWithError(pack(writer, cache)) }()
	fresh, err := os.CreateTemp(".", ".cache-*")
	if err != nil {
		return sandbox.Result{}, err
	}
	defer os.Remove(fresh.Name())
	defer fresh.Close()
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image: image, Cmd: []string{"sh", "-c", test}, WorkDir: sandbox.DefaultInputDir, InputTar: reader,
		Env:    map[string]string{"GOMODCACHE": sandbox.DefaultInputDir + "/" + cacheDir, "GOFLAGS": "-modcacherw"},
		Setup:  sandbox.Setup{Cmd: []string{"sh", "-c", download}, Network: network, Timeout: 5 * time.Minute, Output: os.Stderr},
		Stdout: os.Stdout, Stderr: os.Stderr,
		Collect: []string{sandbox.DefaultInputDir + "/" + cacheDir}, OutputTar: fresh,
		Limits: sandbox.Limits{CPUs: 2, MemoryMB: 4096, PIDs: 512, Timeout: 10 * time.Minute, Network: "none", ArtifactBytes: 4 << 30},
	})
	if err == nil && !res.SetupFailed && res.Uncollected == nil {
		err = os.Rename(fresh.Name(), cache) // only what is complete replaces the last one
	}
	return res, err
}

// pack writes what is committed here as an archive, and the downloads of the last time behind it.
func pack(w io.Writer, cache string) error {
	out := tar.NewWriter(w)
	git := exec.Command("git", "archive", "HEAD")
	git.Stderr = os.Stderr
	source, err := git.Output()
	if err != nil {
		return fmt.Errorf("git archive: %w", err)
	}
	if err := add(out, bytes.NewReader(source)); err != nil {
		return err
	}
	switch kept, err := os.Open(cache); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		defer kept.Close()
		if err := add(out, kept); err != nil {
			return err
		}
	}
	return out.Close()
}

// add copies the entries of an archive.
func add(out *tar.Writer, from io.Reader) error {
	for in := tar.NewReader(from); ; {
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}
