// Grader runs a submission once for each hidden test, and prints how many it passes. A test is a
// file with what the submission is given on its standard input, NAME.in, and one with what it must
// say, NAME.out. Neither comes into a container but the input, while it is read.
//
//	grader -image python:3 -tests hidden -- submission/ python main.py
package main

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/synchestra-io/sandbox"
)

func main() {
	image := flag.String("image", "", "image of the language")
	tests := flag.String("tests", "", "directory with the hidden tests")
	flag.Parse()
	if flag.NArg() < 2 {
		log.Fatal("usage: grader -image IMAGE -tests DIRECTORY -- SUBMISSION COMMAND...")
	}
	submission, err := pack(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	inputs, err := filepath.Glob(filepath.Join(*tests, "*.in"))
	if err != nil || len(inputs) == 0 {
		log.Fatalf("no tests in %q: %v", *tests, err)
	}
	runner, err := sandbox.New(sandbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer runner.Close()
	passed := 0
	for _, in := range inputs {
		verdict, err := grade(runner, *image, flag.Args()[1:], submission, in)
		if err != nil {
			log.Print(err) // ours, not the student's
			verdict = "not graded"
		}
		if verdict == "passed" {
			passed++
		}
		fmt.Printf("%s: %s\n", filepath.Base(in[:len(in)-len(".in")]), verdict)
	}
	fmt.Printf("%d of %d\n", passed, len(inputs))
}

// grade runs the submission on one test. Each run has a container of its own, so that no test
// learns of another.
func grade(r *sandbox.Runner, image string, command []string, submission []byte, in string) (string, error) {
	stdin, err := os.Open(in)
	if err != nil {
		return "", err
	}
	defer stdin.Close()
	want, err := os.ReadFile(in[:len(in)-len(".in")] + ".out")
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	res, err := r.RunOnce(context.Background(), sandbox.Job{
		Image: image, Cmd: command, WorkDir: sandbox.DefaultInputDir, InputTar: bytes.NewReader(submission),
		Stdin: stdin, Stdout: &capped{&said, len(want) + 1},
		Limits: sandbox.Limits{CPUs: 1, MemoryMB: 256, PIDs: 64, DiskMB: 64, Timeout: 10 * time.Second, Network: "none", LogBytes: 64 << 10},
	})
	switch {
	case err != nil:
		return "", err
	case res.TimedOut:
		return "too slow", nil
	case res.OOMKilled:
		return "too much memory", nil
	case res.ExitCode != 0:
		return fmt.Sprintf("exit status %d", res.ExitCode), nil
	case !bytes.Equal(said.Bytes(), want):
		return "wrong answer", nil
	}
	return "passed", nil
}

// capped keeps no more than it can need of what comes.
type capped struct {
	to   *bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	c.to.Write(p[:n])
	return len(p), nil
}

// pack makes an archive of a directory.
func pack(dir string) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		return nil, err
	}
	err := w.Close()
	return archive.Bytes(), err
}
