package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox/internal/discover"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// connect returns a client for what the library has no call for: information about the engine, and
// images of this program. It is connected as the library's own is.
func (f *engineFlags) connect(ctx context.Context) (*client.Client, discover.Engine, error) {
	where, err := discover.Find(discover.Request{Host: f.host, Context: f.context})
	if err != nil {
		return nil, where, err
	}
	c, err := dockerx.New(dockerx.Address{Host: where.Host, TLS: where.TLS, Fixed: where.Context})
	if err != nil {
		return nil, where, err
	}
	if _, err := c.Connect(ctx); err != nil {
		return nil, where, where.Explain(err, dockerx.Unreachable(err))
	}
	return c.API(), where, nil
}

// ownProgram is this program, if the engine's machine can run it. It is linked statically.
func ownProgram(architecture string) ([]byte, error) {
	goarch := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[architecture]
	if runtime.GOOS != "linux" || goarch != runtime.GOARCH {
		return nil, fmt.Errorf("the engine's machine (linux/%s) cannot run this program (%s/%s)", architecture, runtime.GOOS, runtime.GOARCH)
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	binary, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return nil, errors.New("this program needs the C library, so that it cannot run in an image of its own; install it again with CGO_ENABLED=0")
	}
	return program, nil
}

// importProgram makes an image that has nothing but a program, unless the engine has it. Its tag is
// the program's digest.
func importProgram(ctx context.Context, api *client.Client, repository, name string, program []byte) (ref string, made bool, err error) {
	ref = fmt.Sprintf("%s:%x", repository, sha256.Sum256(program))[:len(repository)+13]
	if _, err := api.ImageInspect(ctx, ref); err == nil {
		return ref, false, nil
	}
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() {
		out := tar.NewWriter(writer)
		err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(program))})
		if err == nil {
			_, err = out.Write(program)
		}
		writer.CloseWithError(errors.Join(err, out.Close()))
	}()
	body, err := api.ImageImport(ctx, image.ImportSource{Source: reader, SourceName: "-"}, ref,
		image.ImportOptions{Changes: []string{fmt.Sprintf(`ENTRYPOINT ["/%s"]`, name)}})
	if err != nil {
		return "", false, err
	}
	defer body.Close()
	for answer := json.NewDecoder(body); ; { // a failure is in a successful answer
		var message struct{ Error string }
		switch err := answer.Decode(&message); {
		case err == io.EOF:
			return ref, true, nil
		case err != nil:
			return "", false, err
		case message.Error != "":
			return "", false, errors.New(message.Error)
		}
	}
}
