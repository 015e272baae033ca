package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/rootfs"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// Images are made here, by import, from a static busybox and from programs built
// for the purpose: no registry outside is needed. All of them are removed when the
// tests have ended.

// The images that many tests share, each made when it is first asked for.
var (
	// Busybox has a shell and the usual tools.
	Busybox = Once(func(t testing.TB) string { return MakeImage(t, "busybox", BusyboxFiles()) })
	// BusyboxWithProbe also has /probe, for what a shell cannot do.
	BusyboxWithProbe = Once(func(t testing.TB) string {
		return MakeImage(t, "busybox-probe", append(BusyboxFiles(), ProbeFile()))
	})
	// Scratch has /probe, a static binary, and nothing else.
	Scratch = Once(func(t testing.TB) string { return MakeImage(t, "scratch", []tarball.File{ProbeFile()}) })
	// Golang is like the images of that name, made of the toolchain that runs the
	// tests. Its standard library is compiled.
	Golang = Once(func(t testing.TB) string {
		cache, err := rootfs.GoCache()
		require.NoError(t, err)
		files, w := io.Pipe()
		go func() { w.CloseWithError(rootfs.GoToolchain(w, cache)) }()
		return ImportImage(t, "golang", files, append(slices.Clone(rootfs.GoEnv), rootfs.GoCacheEnv)...)
	})
)

// Once returns a function that makes an image when it is first called. If the image
// cannot be made, the process ends.
func Once(create func(testing.TB) string) func() string {
	return sync.OnceValue(func() string { return create(process{}) })
}

// process is what fails if an image for several tests cannot be made.
type process struct{ testing.TB }

func (process) Helper()                   {}
func (process) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (process) FailNow()                  { panic("an image cannot be made") }

var imagesMade atomic.Int64

// newImageName is an image's name that no other test has.
func newImageName(name string) string {
	return fmt.Sprintf("%s%s-%d:test", ImagePrefix, name, imagesMade.Add(1))
}

// MakeImage makes an image of files; changes are instructions of a Dockerfile.
func MakeImage(t testing.TB, name string, files []tarball.File, changes ...string) string {
	t.Helper()
	return ImportImage(t, name, bytes.NewReader(tarball.Of(files...)), changes...)
}

// ImportImage makes an image of a root file system, a tar.
func ImportImage(t testing.TB, name string, rootfs io.Reader, changes ...string) string {
	t.Helper()
	return importAs(t, API, newImageName(name), rootfs, changes...)
}

func importAs(t testing.TB, engine *client.Client, ref string, rootfs io.Reader, changes ...string) string {
	t.Helper()
	source := image.ImportSource{Source: rootfs, SourceName: "-"}
	body, err := engine.ImageImport(context.Background(), source, ref, image.ImportOptions{Changes: changes})
	require.NoError(t, err)
	defer body.Close()
	answer, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NotContains(t, string(answer), "error", "import of %s", ref)
	return ref
}

// LoadImage loads an image in the format of docker save: its configuration may
// hold what an import refuses.
func LoadImage(t testing.TB, name, arch string, files []tarball.File, config container.Config) string {
	t.Helper()
	ref := newImageName(name)
	layer := tarball.Of(files...)
	content, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": arch, "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	require.NoError(t, err)
	archive := tarball.Of(
		tarball.File{Name: "config.json", Body: string(content)}, tarball.File{Name: "layer.tar", Body: string(layer)},
		tarball.File{Name: "manifest.json", Body: fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":["layer.tar"]}]`, "docker.io/"+ref)})
	loaded, err := API.ImageLoad(context.Background(), bytes.NewReader(archive))
	require.NoError(t, err)
	defer loaded.Body.Close()
	answer, err := io.ReadAll(loaded.Body)
	require.NoError(t, err)
	require.Contains(t, string(answer), "Loaded image", "%s", answer)
	return ref
}

// RemoveImage removes an image, which may be gone already.
func RemoveImage(t testing.TB, ref string) {
	t.Helper()
	_, err := API.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true, PruneChildren: true})
	if err != nil {
		require.Regexp(t, "No such image|image not known", err.Error())
	}
}

// BusyboxFiles are the files of Busybox.
func BusyboxFiles() []tarball.File {
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
