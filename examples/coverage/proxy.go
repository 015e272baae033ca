package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"golang.org/x/mod/module"
)

// moduleProxy serves what this machine has downloaded of modules to containers on the
// engine's bridge. The go command keeps its downloads in the form of the proxy protocol
// (go.dev/ref/mod#goproxy-protocol).
type moduleProxy struct {
	url    string
	server *http.Server
	served chan struct{}
}

// startProxy listens on the bridge's address, under a name that nobody can guess.
func startProxy(ctx context.Context) (*moduleProxy, error) {
	settings, err := command(ctx, os.TempDir(), "go", "env", "GOMODCACHE", "GOPRIVATE", "GONOPROXY")
	if err != nil {
		return nil, err
	}
	lines := append(strings.Split(settings, "\n"), "", "") // the last ones can be empty
	address, err := bridgeAddress(ctx)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return nil, err
	}
	prefix := "/" + strings.ToLower(rand.Text())
	files := http.StripPrefix(prefix, downloads(filepath.Join(lines[0], "cache", "download"), lines[1]+","+lines[2]))
	p := &moduleProxy{url: "http://" + l.Addr().String() + prefix, server: &http.Server{Handler: files}, served: make(chan struct{})}
	go func() {
		defer close(p.served)
		p.server.Serve(l)
	}()
	return p, nil
}

func (p *moduleProxy) close() {
	p.server.Close()
	<-p.served
}

// downloads serves a cache, but for modules that GOPRIVATE or GONOPROXY names: a stranger's
// go.mod can ask for any, and so can what runs in Setup.
func downloads(dir, private string) http.Handler {
	files := http.FileServerFS(os.DirFS(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped, _, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/@v/")
		name, err := module.UnescapePath(escaped)
		if !found || err != nil || path.Clean(r.URL.Path) != r.URL.Path || module.MatchPrefixPatterns(private, name) {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// bridgeAddress is this machine's address on the engine's default network.
func bridgeAddress(ctx context.Context) (string, error) {
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return "", err
	}
	defer api.Close()
	bridge, err := api.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	if err != nil {
		return "", err
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, c := range bridge.IPAM.Config {
		subnet, err := netip.ParsePrefix(c.Subnet)
		if err != nil {
			return "", err
		}
		for _, a := range addresses {
			if own, err := netip.ParsePrefix(a.String()); err == nil && subnet.Contains(own.Addr()) {
				return own.Addr().String(), nil
			}
		}
	}
	return "", errors.New("this machine has no address on the engine's bridge; choose a proxy with -proxy")
}
