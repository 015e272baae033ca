package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/rootfs"
)

// toolchainImage finds an image with a Go toolchain: one that the engine has,
// else one made of this machine's own, else one that RunOnce will pull.
func toolchainImage(ctx context.Context) (string, error) {
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return "", err
	}
	defer api.Close()
	version := strings.TrimPrefix(runtime.Version(), "go")
	own, official := "sandbox-examples/go:"+version, "golang:"+version
	for _, ref := range []string{own, official} {
		_, err := api.ImageInspect(ctx, ref)
		if err == nil {
			fmt.Printf("toolchain: image %s, which is present\n", ref)
			return ref, nil
		}
		if !errdefs.IsNotFound(err) {
			return "", err
		}
	}
	if _, err := exec.LookPath("go"); err != nil {
		fmt.Printf("toolchain: image %s, which will be pulled\n", official)
		return official, nil
	}
	err = working("importing this machine's Go toolchain as image "+own, func() error {
		return importToolchain(ctx, api, own, "")
	})
	if err == nil {
		fmt.Printf("toolchain: image %s, which stays on the engine; docker rmi removes it\n", own)
	}
	return own, err
}

// importToolchain streams GOROOT to the engine, and a build cache if there is one.
func importToolchain(ctx context.Context, api *client.Client, ref, cache string) error {
	files, out := io.Pipe()
	go func() { out.CloseWithError(rootfs.GoToolchain(out, cache)) }()
	defer files.Close() // ends the writer if the engine stops reading
	changes := rootfs.GoEnv
	if cache != "" {
		changes = append(slices.Clone(changes), rootfs.GoCacheEnv)
	}
	return importImage(ctx, api, ref, files, changes...)
}

// importImage makes an image of files, a tar; changes are instructions of a Dockerfile.
func importImage(ctx context.Context, api *client.Client, ref string, files io.Reader, changes ...string) error {
	source := image.ImportSource{Source: files, SourceName: "-"}
	answer, err := api.ImageImport(ctx, source, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		return err
	}
	defer answer.Close()
	var text bytes.Buffer
	if _, err := io.Copy(&text, answer); err != nil {
		return err
	}
	if strings.Contains(text.String(), `"errorDetail"`) {
		return fmt.Errorf("import of image %s: %s", ref, &text)
	}
	return nil
}
