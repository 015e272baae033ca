package sandbox

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// On a local engine the socket itself, whatever leads to it, other sockets, and
// what holds it are refused.
func TestBadMountSourcesOfALocalEngine(t *testing.T) {
	dir := t.TempDir()
	engine := filepath.Join(dir, "run", "engine.sock")
	require.NoError(t, os.MkdirAll(filepath.Dir(engine), 0o700))
	listener, err := net.Listen("unix", engine)
	require.NoError(t, err)
	defer listener.Close()
	t.Setenv("DOCKER_HOST", "unix://"+engine)
	other := filepath.Join(dir, "other.sock")
	listener, err = net.Listen("unix", other)
	require.NoError(t, err)
	defer listener.Close()
	link := filepath.Join(dir, "link")
	for target, name := range map[string]string{engine: link + "1", filepath.Dir(engine): link + "2", "/proc/1": link + "3", other: link + "4"} {
		require.NoError(t, os.Symlink(target, name))
	}
	for _, source := range []string{engine, dir + "/run", dir, link + "1", link + "2", link + "3", link + "4", other, "/dev/null"} {
		j := goodJob()
		j.Mounts = []Mount{{Source: source, Target: "/m", ReadOnly: true}}
		require.Contains(t, refusal(t, j), "Mounts[0].Source "+`"`+source+`"`)
	}
}

// What an address means for the connection, it means for the refusal of its socket.
func TestOddAddressesOfALocalEngine(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"100%.sock", "a%20b.sock", "a b?c=d#e.sock", "%zz"} {
		path := filepath.Join(dir, name)
		(&fakeEngine{socket: path}).start(t)
		for _, host := range []string{"unix://" + path, "unix://" + name, "unix://./" + name} {
			t.Setenv("DOCKER_HOST", host)
			_, err := RunOnce(t.Context(), absentImage)
			require.ErrorContains(t, err, "no such image", host)
			j := goodJob()
			j.Mounts = []Mount{{Source: path, Target: "/m", ReadOnly: true}}
			require.Contains(t, refusal(t, j), "Mounts[0].Source "+strconv.Quote(path), host)
		}
	}
}
