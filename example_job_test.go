package sandbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/synchestra-io/sandbox"
)

// pack makes a tar of files, given by name. For a directory on disk, a
// tar.Writer has AddFS.
func pack(files map[string]string) io.Reader {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, body := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body))}); err != nil {
			log.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return &archive
}

// The whole input tree is writable by the command, and none of its changes reach
// the source.
func ExampleJob_input() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:    shell,
		Cmd:      []string{"sh", "-c", "rm main.c; echo second >>docs/notes; touch docs/new; find . -type f | sort; cat docs/notes"},
		WorkDir:  sandbox.DefaultInputDir,
		InputTar: pack(map[string]string{"main.c": "int main;\n", "docs/notes": "first\n"}),
		Limits:   sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Logs)
}

// A path that is not there after the run is no error: it is absent from
// Artifacts, and Uncollected says why.
func ExampleJob_collect() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:   shell,
		Cmd:     []string{"sh", "-c", "echo 42 >answer; ln -s /etc/passwd link"},
		WorkDir: "/workspace",
		Collect: []string{"/workspace/answer", "/workspace/question", "/workspace/link"},
		Limits:  sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("answer: %s", res.Artifacts["/workspace/answer"])
	fmt.Println("question is missing:", errors.Is(res.Uncollected["/workspace/question"], fs.ErrNotExist))
	fmt.Println("link is not followed:", errors.Is(res.Uncollected["/workspace/link"], sandbox.ErrNotRegular))
}

// A directory in Collect stands for all regular files below it, whose full paths
// are the keys.
func ExampleJob_collectDirectory() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:   shell,
		Cmd:     []string{"sh", "-c", "mkdir -p out/logs; echo 1 >out/result; echo 2 >out/logs/first"},
		WorkDir: "/workspace",
		Collect: []string{"/workspace/out"},
		Limits:  sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(res.Artifacts)) {
		fmt.Printf("%s: %s", path, res.Artifacts[path])
	}
}

// Env adds to the image's environment, and nothing of the host's is passed on.
func ExampleJob_environment() {
	os.Setenv("API_KEY", "secret")
	defer os.Unsetenv("API_KEY")
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", `echo "$GREETING, API_KEY is ${API_KEY-not set}"`},
		Env:    map[string]string{"GREETING": "hello"},
		Limits: sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Logs)
}

// A read-only mount hands out a directory of the host's for reading, to user
// 65532, who must be let in by its permission bits.
func ExampleMount() {
	dir, err := os.MkdirTemp("", "data")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "words"), []byte("apple\n"), 0o644))
	if err != nil {
		log.Fatal(err)
	}
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", "exec 2>&1; cat /data/words; touch /data/new"},
		Mounts: []sandbox.Mount{{Source: dir, Target: "/data", ReadOnly: true}},
		Limits: sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Logs)
}

// A job for code from a stranger has all of the limits.
func ExampleLimits() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image: shell,
		Cmd:   []string{"sh", "-c", "echo $((6 * 7))"},
		Limits: sandbox.Limits{
			CPUs:          1.5,
			MemoryMB:      64,
			PIDs:          32,
			Timeout:       time.Minute,
			Network:       "none",
			LogBytes:      1 << 20,
			ArtifactBytes: 16 << 20,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d, %d bytes of output dropped\n%s", res.ExitCode, res.LogsDropped, res.Logs)
}

// A command that needs more memory than it may have is killed; swap does not
// help it.
func ExampleLimits_memory() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"tail", "/dev/zero"},
		Limits: sandbox.Limits{MemoryMB: 32, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d, timed out: %t\n", res.ExitCode, res.TimedOut)
}

// A fork bomb meets the limit of processes.
func ExampleLimits_processes() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"sh", "-c", "while true; do sleep 3600 & done"},
		Limits: sandbox.Limits{PIDs: 16, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d\n%s", res.ExitCode, res.Logs)
}

// Output over the cap keeps its beginning and its end, and what is missing in
// the middle is counted.
func ExampleLimits_logBytes() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"seq", "100000"},
		Limits: sandbox.Limits{LogBytes: 26, Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes dropped\n%s", res.LogsDropped, res.Logs)
}

// On network "none" there is no way out.
func ExampleLimits_network() {
	res, err := sandbox.RunOnce(context.Background(), sandbox.Job{
		Image:  shell,
		Cmd:    []string{"wget", "-q", "http://192.0.2.1/"},
		Limits: sandbox.Limits{Network: "none"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit status %d\n%s", res.ExitCode, res.Logs)
}
