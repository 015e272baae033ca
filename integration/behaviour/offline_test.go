//go:build docker

package behaviour_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// offlineJob tells what is mounted for it, and what it has of a network.
func offlineJob() sandbox.Job {
	return runtest.Shell("cat /etc/hosts /etc/resolv.conf; cut -d' ' -f4-5 /proc/self/mountinfo | grep /etc/; cat /proc/net/if_inet6 /proc/net/dev")
}

// A Runner and the function RunOnce have the same names on network "none", and the loopback
// interface alone, with both of its addresses.
func TestNamesWithoutANetwork(t *testing.T) {
	t.Parallel()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	kept, err := r.RunOnce(context.Background(), offlineJob())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	id := owner.RandomID()
	single, err := sandbox.RunOnce(owner.WithID(context.Background(), id), offlineJob())
	require.NoError(t, err)
	enginetest.AssertNothingLeft(t, id)
	for _, got := range []string{string(kept.Logs), string(single.Logs)} {
		require.Regexp(t, `(?m)^127\.0\.0\.1\s+localhost\b`, got)
		require.Regexp(t, `(?m)^::1\s+.*\blocalhost\b`, got)
		if !enginetest.Podman() { // it has no name servers at all
			require.Contains(t, got, "nameserver 127.0.0.1\n")
		}
		require.Contains(t, got, " /etc/hosts\n")
		require.Regexp(t, `(?m)^0{31}1 .* lo$`, got, "the address ::1")
		requireLoopbackAlone(t, got)
	}
}

// So have both containers of a job with a Setup.
func TestNamesWithoutANetworkInSetup(t *testing.T) {
	t.Parallel()
	j := offlineJob()
	j.Setup = sandbox.Setup{Cmd: j.Cmd, Network: "none"}
	id := owner.RandomID()
	res, err := sandbox.RunOnce(owner.WithID(context.Background(), id), j)
	require.NoError(t, err)
	enginetest.AssertNothingLeft(t, id)
	for _, got := range []string{string(res.Logs), string(res.SetupLogs)} {
		require.Contains(t, got, "\tlocalhost")
		requireLoopbackAlone(t, got)
	}
}

// The job's hosts file is the caller's, if there is one.
func TestHostsFileOfTheCaller(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"hosts", "resolv.conf", "hostname"} { // older engines always have a hostname of theirs
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("mine\n"), 0o644))
	}
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	sources := map[string]string{"/etc/hosts": filepath.Join(dir, "hosts")}
	if !enginetest.Podman() { // it fails to make its own files in a read-only /etc
		sources["/etc"] = dir
	}
	for target, source := range sources {
		j := runtest.Shell("cat /etc/hosts")
		j.Mounts = []sandbox.Mount{{Source: source, Target: target, ReadOnly: true}}
		res, _, err := runtest.RunWith(context.Background(), r, j)
		require.NoError(t, err)
		require.Equal(t, "mine\n", string(res.Logs), target)
	}
	require.NoError(t, r.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 3, "the engine put nothing beside it")
}

// offlineProxy calls act when a request arrives that at names, see (*Exchange).String,
// with the names of the container and of the volume with its host files.
type offlineProxy struct {
	mu      sync.Mutex
	volumes []string // one after the other
	at      string
	act     func(name, volume string)
}

var hostVolume = regexp.MustCompile(owner.NamePrefix + "([0-9a-f]{32})-host")

func (o *offlineProxy) handle(x *enginetest.Exchange) {
	o.mu.Lock()
	defer x.Forward() // after the unlock
	defer o.mu.Unlock()
	if x.String() == "POST /containers/create job" {
		body, _ := io.ReadAll(x.Request.Body)
		x.Request.Body = io.NopCloser(bytes.NewReader(body))
		if volume := string(hostVolume.Find(body)); !slices.Contains(o.volumes, volume) {
			o.volumes = append(o.volumes, volume)
		}
	}
	if x.String() == o.at {
		name := cmp.Or(x.Request.URL.Query().Get("name"), strings.Split(x.Request.URL.Path, "/")[3])
		o.act(name, o.volumes[len(o.volumes)-1])
	}
}

func (o *offlineProxy) set(at string, act func(name, volume string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at, o.act = at, act
}

// offlineRunner returns a Runner through the proxy that has run a job.
func offlineRunner(t *testing.T) (*sandbox.Runner, *offlineProxy) {
	t.Helper()
	o := new(offlineProxy)
	r, err := sandbox.New(sandbox.Options{Host: enginetest.NewProxy(t, enginetest.API, o.handle).Host})
	require.NoError(t, err)
	_, err = r.RunOnce(context.Background(), offlineJob())
	require.NoError(t, err)
	return r, o
}

// requireClosed closes the Runner, and wants nothing left of what it kept.
func (o *offlineProxy) requireClosed(t *testing.T, r *sandbox.Runner) {
	t.Helper()
	require.NotEmpty(t, enginetest.LeftOf(t, hostVolume.FindStringSubmatch(o.volumes[len(o.volumes)-1])[1]))
	require.NoError(t, r.Close())
	for _, volume := range o.volumes {
		enginetest.AssertNothingLeft(t, hostVolume.FindStringSubmatch(volume)[1])
	}
}

// One volume is made for all runs. If another client removes it, the run gets another one.
// If that goes as well, the run fails, and the next one does not.
func TestOfflineVolumeThatIsRemoved(t *testing.T) {
	t.Parallel()
	r, o := offlineRunner(t)
	_, err := r.RunOnce(context.Background(), offlineJob())
	require.NoError(t, err)
	require.Len(t, o.volumes, 1)
	remove := func(_, volume string) {
		ctx := context.Background()
		assert.ErrorContains(t, enginetest.API.VolumeRemove(ctx, volume, false), "in use")
		assert.NoError(t, enginetest.API.ContainerRemove(ctx, volume, container.RemoveOptions{}))
		assert.NoError(t, enginetest.API.VolumeRemove(ctx, volume, false))
	}

	o.set("POST /containers/create job", func(name, volume string) {
		o.at = "" // once
		remove(name, volume)
	})
	res, id, err := runtest.RunWith(context.Background(), r, offlineJob())
	require.NoError(t, err)
	require.Contains(t, string(res.Logs), "127.0.0.1\tlocalhost\n")
	enginetest.AssertNothingLeft(t, id)
	require.Len(t, o.volumes, 2)

	o.set("POST /containers/create job", remove)
	res, id, err = runtest.RunWith(context.Background(), r, offlineJob())
	runtest.RequireStep(t, err, sandbox.OpCreate, sandbox.OpStart)
	require.Empty(t, res.Logs)
	enginetest.AssertNothingLeft(t, id)
	require.Len(t, o.volumes, 3)

	o.set("", nil)
	_, err = r.RunOnce(context.Background(), offlineJob())
	require.NoError(t, err)
	require.Len(t, o.volumes, 4)
	o.requireClosed(t, r)
}

// Another client cannot give a network to a job that has none.
func TestNetworkForAnOfflineJob(t *testing.T) {
	t.Parallel()
	r, o := offlineRunner(t)
	made, err := enginetest.API.NetworkCreate(context.Background(), owner.RandomID(), network.CreateOptions{Internal: true})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, enginetest.API.NetworkRemove(context.Background(), made.ID)) })
	var refused error
	connect := func(name, _ string) {
		refused = enginetest.API.NetworkConnect(context.Background(), made.ID, name, nil)
	}
	o.set("POST /containers/job/attach", connect)
	_, id, err := runtest.RunWith(context.Background(), r, offlineJob())
	require.NoError(t, refused)
	runtest.RequireStep(t, err, sandbox.OpStart)
	require.ErrorIs(t, err, sandbox.ErrUnsupported)
	require.ErrorContains(t, err, "NetworkSettings.Networks")
	enginetest.AssertNothingLeft(t, id)

	o.set("POST /containers/job/start", connect) // it has been looked at before
	res, _, err := runtest.RunWith(context.Background(), r, offlineJob())
	require.NoError(t, err)
	requireLoopbackAlone(t, string(res.Logs))

	o.set("", nil)
	j := runtest.WaitingJob(enginetest.Busybox())
	j.Cmd = []string{"sh", "-c", enginetest.AwaitRelease + "; cat /proc/net/dev"}
	id, ended := runtest.Start(context.Background(), r, j)
	name := owner.NamePrefix + id
	enginetest.WaitRunning(t, context.Background(), name)
	connect(name, "")
	if refused == nil { // older engines make an endpoint, of no use, which some do not remove with the container
		defer func() {
			if err := enginetest.API.NetworkDisconnect(context.Background(), made.ID, name, true); !errdefs.IsNotFound(err) {
				assert.NoError(t, err)
			}
		}()
	}
	require.NoError(t, enginetest.Release(context.Background(), enginetest.API, name))
	end := <-ended
	require.NoError(t, end.Err)
	requireLoopbackAlone(t, string(end.Result.Logs))
	enginetest.AssertNothingLeft(t, id)
	o.requireClosed(t, r)
}

// requireLoopbackAlone wants no other interface in what /proc/net/dev has, at the end of
// the output.
func requireLoopbackAlone(t *testing.T, output string) {
	t.Helper()
	_, devices, found := strings.Cut(output, "Inter-|")
	require.True(t, found, output)
	require.Equal(t, []string{"lo:"}, regexp.MustCompile(`\S+:`).FindAllString(devices, -1))
}
