package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/egress"
)

// openGateway opens a way out to the module proxy alone, or returns nil if the engine is none
// that has gateways.
func openGateway(ctx context.Context, proxy string) (*egress.Gateway, error) {
	u, err := url.Parse(proxy)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	o := egress.Options{Allow: []string{net.JoinHostPort(u.Hostname(), port)}}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil { // that of the engine's bridge
		o.Private = []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}
	}
	if o.Image, err = proxyImage(ctx); err != nil {
		return nil, err
	}
	g, err := egress.Open(ctx, o)
	if errors.Is(err, egress.ErrUnsupported) {
		fmt.Println("dependencies: by network bridge, since", err)
		return nil, nil
	}
	return g, err
}

// proxyImage is an image of the program beside this one, which is made if the engine does not
// have it; "" = there is no such program.
func proxyImage(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	program, err := os.ReadFile(filepath.Join(filepath.Dir(self), "sandbox-egress"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return "", err
	}
	defer api.Close()
	ref := proxyRef(program)
	if _, err := api.ImageInspect(ctx, ref); !errdefs.IsNotFound(err) {
		return ref, err
	}
	var files bytes.Buffer
	out := tar.NewWriter(&files)
	err = out.WriteHeader(&tar.Header{Name: "sandbox-egress", Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = out.Write(program)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", err
	}
	fmt.Printf("dependencies: through image %s, which stays on the engine; docker rmi removes it\n", ref)
	return ref, importImage(ctx, api, ref, &files, `ENTRYPOINT ["/sandbox-egress"]`)
}

// proxyRef is the name of the image of a program.
func proxyRef(program []byte) string {
	return fmt.Sprintf("sandbox-examples/egress:%.8x", sha256.Sum256(program))
}

// through gives Setup the way out that an access is.
func through(a *egress.Access, s sandbox.Setup) sandbox.Setup {
	if a != nil {
		s.Network = a.Network()
		maps.Copy(s.Env, a.Env())
	}
	return s
}
