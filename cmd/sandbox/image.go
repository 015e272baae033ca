package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/synchestra-io/sandbox/internal/archive"
	"github.com/synchestra-io/sandbox/internal/discover"
	"github.com/synchestra-io/sandbox/internal/dockerx"
)

// engine is the one that was chosen, connected as the library connects to it.
type engine struct {
	*dockerx.Client
	where discover.Engine
	is    dockerx.Engine
}

// connect connects to the engine. The caller must close it.
func (f *engineFlags) connect(ctx context.Context) (e engine, err error) {
	if e.where, err = discover.Find(discover.Request{Host: f.host, Context: f.context}); err != nil {
		return e, err
	}
	if e.Client, err = dockerx.New(dockerx.Address{Host: e.where.Host, TLS: e.where.TLS, Fixed: e.where.Context}); err != nil {
		return e, err
	}
	if e.is, err = e.Connect(ctx); err != nil {
		e.Close()
		return e, e.where.Explain(err, dockerx.Unreachable(err))
	}
	return e, nil
}

// ownProgram is this program, if the engine's machine can run it in an image of its own.
func (e engine) ownProgram() ([]byte, error) {
	if runtime.GOOS != "linux" || e.is.Architecture != runtime.GOARCH {
		return nil, fmt.Errorf("the engine's machine (linux/%s) cannot run this program (%s/%s)", e.is.Architecture, runtime.GOOS, runtime.GOARCH)
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
func (e engine) importProgram(ctx context.Context, repository, name string, program []byte) (ref string, made bool, err error) {
	ref = fmt.Sprintf("%s:%.6x", repository, sha256.Sum256(program))
	if has, err := e.HasImage(ctx, ref); has || err != nil {
		return ref, false, err
	}
	var rootfs bytes.Buffer
	if err := archive.RootFiles(0o755, map[string]string{name: string(program)})(&rootfs); err != nil {
		return "", false, err
	}
	err = dockerx.Import(ctx, e.API(), ref, &rootfs, fmt.Sprintf(`ENTRYPOINT ["/%s"]`, name))
	return ref, err == nil, err
}
