// Package enginetest is the kit of the tests that need an engine: the engine of the
// machine and private ones, images, a registry, child processes, and a proxy in
// front of an engine. It knows nothing of jobs, so that every package's tests can
// use it.
package enginetest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/leaktest"
)

// API is the tests' own client of the engine; Main makes it.
var API *client.Client

// ImagePrefix is in front of the name of every image that this process makes, and
// removes.
var ImagePrefix = fmt.Sprintf("sandbox-test-%d/", os.Getpid())

// Main is the body of a TestMain. Without an engine the tests fail. A child process
// does one of the tasks instead; see StartChild.
func Main(m *testing.M, tasks Tasks) {
	var err error
	API, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err == nil {
		// A docker context of the machine's must not choose another one.
		err = os.Setenv("DOCKER_HOST", API.DaemonHost())
	}
	if task := os.Getenv(envTask); task != "" && err == nil {
		os.Exit(tasks[task]())
	}
	if err == nil {
		_, err = API.Info(context.Background())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "the tests with the tag docker need an engine; make engine starts one: %v\n", err)
		os.Exit(1)
	}
	status := m.Run()
	removeImages()
	if err := record(status == 0); err != nil {
		fmt.Fprintln(os.Stderr, "SANDBOX_RECORD:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

// Podman tells whether the engine is Podman, which does some things in another way.
var Podman = sync.OnceValue(func() bool {
	version, err := API.ServerVersion(context.Background())
	return err == nil && slices.ContainsFunc(version.Components, func(c types.ComponentVersion) bool { return c.Name == "Podman Engine" })
})

// Rootless tells whether the engine is Docker's, run by a user who is not root.
var Rootless = sync.OnceValue(func() bool {
	info, err := API.Info(context.Background())
	return err == nil && !Podman() && slices.Contains(info.SecurityOptions, "name=rootless")
})

// Host is the engine's address.
func Host() string { return API.DaemonHost() }

// removeImages removes the images that this process made.
func removeImages() {
	ctx := context.Background()
	list, err := API.ImageList(ctx, image.ListOptions{All: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, "test images may be left:", err)
	}
	for _, im := range list {
		for _, tag := range im.RepoTags {
			if strings.HasPrefix(tag, ImagePrefix) {
				if _, err := API.ImageRemove(ctx, tag, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
					fmt.Fprintln(os.Stderr, "test image left:", err)
				}
			}
		}
	}
}

// CheckGoroutines fails the test if it leaves goroutines behind, but for those of
// the tests' own connections. No other test may run at the same time.
func CheckGoroutines(t testing.TB) {
	t.Helper()
	leaktest.Check(t)
	t.Cleanup(func() { API.Close() }) // it can be used again
}
