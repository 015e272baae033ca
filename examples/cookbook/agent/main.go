// Agent is what a program does that must run code which a model wrote: it reads scripts from its
// standard input, one a line, and runs each in a container of its own. Output comes live. The files
// that a step leaves in its directory are the next one's; nothing else lasts.
//
//	printf '%s\n' 'echo 1 >n' 'cat n' | agent -image busybox
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/synchestra-io/sandbox"
)

func main() {
	image := flag.String("image", "busybox", "image with sh")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	runner, err := sandbox.New(sandbox.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer runner.Close()
	var files []byte // of the last step, as an archive; nil = none yet
	for steps := bufio.NewScanner(os.Stdin); steps.Scan(); {
		seen, err := step(ctx, runner, *image, steps.Text(), &files)
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Println(seen)
	}
}

// maxFiles is how much a step may leave for the next one, in bytes.
const maxFiles = 64 << 20

// step runs a script, and returns what the model is to be told of it.
func step(ctx context.Context, r *sandbox.Runner, image, script string, files *[]byte) (string, error) {
	j := sandbox.Job{
		Image: image, Cmd: []string{"sh"}, Stdin: strings.NewReader(script), WorkDir: sandbox.DefaultInputDir,
		Stdout: os.Stdout, Stderr: os.Stderr, // for whoever watches
		Collect: []string{sandbox.DefaultInputDir},
		Limits: sandbox.Limits{CPUs: 1, MemoryMB: 512, PIDs: 128, DiskMB: 256, Timeout: time.Minute, Network: "none",
			LogBytes: 8 << 10, ArtifactBytes: maxFiles}, // a model reads no more
	}
	var left bytes.Buffer
	j.OutputTar = &left
	if *files != nil {
		j.InputTar = bytes.NewReader(*files)
	}
	res, err := r.RunOnce(ctx, j)
	if err != nil {
		return "", err
	}
	*files = left.Bytes()
	seen := fmt.Sprintf("exit status %d", res.ExitCode)
	switch {
	case res.TimedOut:
		seen = "it was killed after a minute"
	case res.OOMKilled:
		seen += "; it needed too much memory"
	case res.DiskFull:
		seen += "; the disk was full"
	}
	for path, why := range res.Uncollected { // the model can do something about these
		if errors.Is(why, sandbox.ErrTooLarge) {
			seen += "; too large to keep: " + path
		}
	}
	return seen, nil
}
