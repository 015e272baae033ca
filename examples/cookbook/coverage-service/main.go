// Coverage-service is an HTTP service: it gets a source tree as a tar archive, runs its tests, and
// answers with the coverage profile.
//
//	git archive HEAD | curl --data-binary @- http://127.0.0.1:8080/
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/synchestra-io/sandbox"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	image := flag.String("image", "golang:1.26", "image with a Go toolchain")
	command := flag.String("command", "go test -coverprofile=cover.out ./...", "command that makes cover.out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	runner, err := sandbox.New(sandbox.Options{Logger: slog.Default()})
	if err != nil {
		log.Fatal(err)
	}
	defer runner.Close() // ends the runs that are under way
	if _, err := runner.Sweep(ctx); err != nil {
		log.Print(err) // what a killed service left behind is still there
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening at", listener.Addr())
	s := service{runner, *image, strings.Fields(*command), make(chan struct{}, 4)}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Print(err)
	}
}

type service struct {
	runner  *sandbox.Runner
	image   string
	command []string
	slots   chan struct{} // one for each run at a time
}

func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		http.Error(w, "busy, try again", http.StatusServiceUnavailable)
		return
	}
	res, err := s.runner.RunOnce(r.Context(), sandbox.Job{ // a client that goes away ends its run
		Image: s.image, Cmd: s.command, WorkDir: sandbox.DefaultInputDir,
		InputTar: http.MaxBytesReader(w, r.Body, 100<<20),
		Collect:  []string{sandbox.DefaultInputDir + "/cover.out"},
		Limits:   sandbox.Limits{CPUs: 2, MemoryMB: 2048, PIDs: 512, DiskMB: 4096, Timeout: 5 * time.Minute, Network: "none"},
	})
	profile := res.Artifacts[sandbox.DefaultInputDir+"/cover.out"]
	switch {
	case err != nil && !errors.Is(err, sandbox.ErrCleanup):
		http.Error(w, err.Error(), http.StatusBadGateway)
	case profile == nil:
		http.Error(w, fmt.Sprintf("exit status %d, timed out: %t\n%s", res.ExitCode, res.TimedOut, res.Logs), http.StatusUnprocessableEntity)
	default:
		w.Write(profile)
	}
}
