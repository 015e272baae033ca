//go:build docker

package sandbox

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/leaktest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/rootfs"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// The images of the suite are made here, by import, from a static busybox and
// from programs built for the purpose: no registry outside is needed.

// api is the tests' own view of the engine.
var api *client.Client

// testImages is the prefix of every image that this process makes, and removes.
var testImages = fmt.Sprintf("sandbox-test-%d/", os.Getpid())

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(childMain(mode))
	}
	os.Exit(func() int {
		var err error
		api, err = client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
		if err == nil {
			_, err = api.Info(context.Background())
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "the tests with the tag docker need an engine; make test starts one: %v\n", err)
			return 1
		}
		defer removeTestImages()
		return m.Run()
	}())
}

func removeTestImages() {
	ctx := context.Background()
	list, err := api.ImageList(ctx, image.ListOptions{All: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, "test images may be left:", err)
	}
	for _, im := range list {
		for _, tag := range im.RepoTags {
			if strings.HasPrefix(tag, testImages) {
				if _, err := api.ImageRemove(ctx, tag, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
					fmt.Fprintln(os.Stderr, "test image left:", err)
				}
			}
		}
	}
}

var imagesMade atomic.Int64

// newRef is an image's name that no other test has.
func newRef(name string) string {
	return fmt.Sprintf("%s%s-%d:test", testImages, name, imagesMade.Add(1))
}

// makeImage imports files as an image; changes are instructions of a
// Dockerfile.
func makeImage(t testing.TB, name string, files []tarball.File, changes ...string) string {
	t.Helper()
	return importImage(t, name, bytes.NewReader(tarball.Of(files...)), changes...)
}

func importImage(t testing.TB, name string, rootfs io.Reader, changes ...string) string {
	t.Helper()
	ref := newRef(name)
	body, err := api.ImageImport(context.Background(), image.ImportSource{Source: rootfs, SourceName: "-"}, ref, image.ImportOptions{Changes: changes})
	require.NoError(t, err)
	defer body.Close()
	answer, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NotContains(t, string(answer), "error", "import of %s", ref)
	return ref
}

// busybox is an image with a shell and the usual tools.
var busybox = sync.OnceValue(func() string {
	return makeImage(imageTB{}, "busybox", busyboxFiles())
})

// imageTB lets images that are made once fail the process.
type imageTB struct{ testing.TB }

func (imageTB) Helper()                   {}
func (imageTB) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (imageTB) FailNow()                  { panic("test image cannot be made") }

func busyboxFiles() []tarball.File {
	archive, err := rootfs.Busybox()
	if err != nil {
		panic(err)
	}
	files := []tarball.File{{Name: "etc/os-release", Body: "ID=busybox\n"}}
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := in.Next()
		if err == io.EOF {
			return files
		}
		body, readErr := io.ReadAll(in)
		if err = errors.Join(err, readErr); err != nil {
			panic(err)
		}
		files = append(files, tarball.File{Name: h.Name, Body: string(body), Mode: h.Mode, Link: h.Linkname, Kind: h.Typeflag})
	}
}

// scratch is an image with one static binary, /probe, and nothing else.
var scratch = sync.OnceValue(func() string {
	return makeImage(imageTB{}, "scratch", []tarball.File{{Name: "probe", Body: probeBinary(), Mode: 0o755}})
})

// probeBinary is the program of package integration/attacks/probe.
func probeBinary() string {
	binary, err := rootfs.Probe()
	if err != nil {
		panic(err)
	}
	return string(binary)
}

// sh is a job that runs a script in busybox, sealed from the network.
func sh(script string) Job {
	return Job{Image: busybox(), Cmd: []string{"sh", "-c", script}, Limits: Limits{Network: "none"}}
}

// do runs a job through a runner of its own and fails the test if anything of
// the run is left on the engine.
func do(t testing.TB, j Job) (Result, error) {
	t.Helper()
	return doContext(t, context.Background(), j)
}

func doContext(t testing.TB, ctx context.Context, j Job) (Result, error) {
	t.Helper()
	r, err := New(Options{})
	require.NoError(t, err)
	res, id, err := runWith(ctx, r, j)
	require.NoError(t, r.Close())
	assertNothingLeft(t, id)
	return res, err
}

// runWith also returns the ID of the run.
func runWith(ctx context.Context, r *Runner, j Job) (Result, string, error) {
	id := owner.RandomID()
	res, err := r.RunOnce(owner.WithID(ctx, id), j)
	return res, id, err
}

// ok runs a job that must not fail.
func ok(t testing.TB, j Job) Result {
	t.Helper()
	res, err := do(t, j)
	require.NoError(t, err)
	return res
}

// output runs a script that must succeed and returns what it printed.
func output(t testing.TB, j Job) string {
	t.Helper()
	res := ok(t, j)
	require.Zero(t, res.ExitCode, "output: %s", res.Logs)
	return string(res.Logs)
}

// assertNothingLeft asks the engine for containers in every state and for
// volumes of one run.
func assertNothingLeft(t testing.TB, id string) {
	t.Helper()
	label := filters.NewArgs(filters.Arg("label", owner.LabelRun+"="+id))
	containers, err := api.ContainerList(context.Background(), container.ListOptions{All: true, Filters: label})
	require.NoError(t, err)
	require.Empty(t, containers, "containers left")
	volumes, err := api.VolumeList(context.Background(), volume.ListOptions{Filters: label})
	require.NoError(t, err)
	require.Empty(t, volumes.Volumes, "volumes left")
}

// checkGoroutines fails the test if it leaves goroutines behind, but for those of
// the tests' own connections.
func checkGoroutines(t testing.TB) {
	t.Helper()
	leaktest.Check(t)
	t.Cleanup(func() { api.Close() }) // it can be used again
}
