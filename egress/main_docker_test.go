//go:build docker

package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestMain(m *testing.M) {
	enginetest.Main(m, enginetest.Tasks{"hold a gateway": holdGateway})
}

// proxyImage has the program, as make egress-image makes it.
var proxyImage = enginetest.Once(func(t testing.TB) string {
	dir, err := os.MkdirTemp("", "egress")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "sandbox-egress")
	build := exec.Command("go", "build", "-o", file, "./cmd/sandbox-egress")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	program, err := os.ReadFile(file)
	require.NoError(t, err)
	return enginetest.MakeImage(t, "egress", []tarball.File{{Name: "sandbox-egress", Body: string(program), Mode: 0o755}}, `ENTRYPOINT ["/sandbox-egress"]`)
})

// bridgeAddress is the host's address on network bridge, where the proxy can reach servers of
// these tests.
func bridgeAddress(t testing.TB) string {
	t.Helper()
	n, err := enginetest.API.NetworkInspect(context.Background(), "bridge", network.InspectOptions{})
	require.NoError(t, err)
	bridge, err := net.InterfaceByName(n.Options["com.docker.network.bridge.name"])
	require.NoError(t, err)
	addresses, err := bridge.Addrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
			return prefix.Addr().String()
		}
	}
	require.FailNow(t, "network bridge has no address")
	return ""
}

// server is an HTTP server on the host, which says hello; it returns its address.
func server(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp4", net.JoinHostPort(bridgeAddress(t), "0"))
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello from", r.Host) })}
	served := make(chan struct{})
	go func() { s.Serve(l); close(served) }()
	t.Cleanup(func() { s.Close(); <-served })
	return l.Addr().String()
}

// private are the addresses of the hosts that can be reached on network bridge.
var private = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16")}

// open opens a gateway and returns it, with its ID. At the test's end nothing is left of it.
func open(t testing.TB, ctx context.Context, allow ...string) (*Gateway, string) {
	t.Helper()
	id := owner.RandomID()
	g, err := Open(owner.WithID(ctx, id), Options{Allow: allow, Private: private, Image: proxyImage()})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, g.Close())
		enginetest.AssertNothingLeft(t, id)
	})
	return g, id
}

// join joins a gateway. At the test's end nothing is left of it.
func join(t testing.TB, g *Gateway) *Access {
	t.Helper()
	id := owner.RandomID()
	a, err := g.Join(owner.WithID(context.Background(), id))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, a.Close())
		enginetest.AssertNothingLeft(t, id)
	})
	return a
}

// shell is a job with an access.
func shell(a *Access, script string) sandbox.Job {
	return sandbox.Job{
		Image: enginetest.BusyboxWithProbe(), Cmd: []string{"sh", "-c", script}, Env: a.Env(),
		Limits: sandbox.Limits{Network: a.Network(), Timeout: time.Minute},
	}
}

// output runs a job and returns what it wrote.
func output(t testing.TB, j sandbox.Job) string {
	t.Helper()
	id := owner.RandomID()
	res, err := sandbox.RunOnce(owner.WithID(context.Background(), id), j)
	require.NoError(t, err)
	enginetest.AssertNothingLeft(t, id)
	return string(res.Logs)
}
