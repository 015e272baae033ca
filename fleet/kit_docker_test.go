//go:build docker

package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/fleet/internal/wire"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// lease is short here: a lost worker is missed after it.
const lease = time.Second

// tasks are what processes of their own do.
var tasks = enginetest.Tasks{}

func init() { tasks["worker"] = workerProcess }

func TestMain(m *testing.M) { enginetest.Main(m, tasks) }

// serverAt starts a NATS server of the test's own, with what is in dir. Port -1 is any.
func serverAt(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true})
	require.NoError(t, err)
	s.Start()
	require.True(t, s.ReadyForConnections(10*time.Second))
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func connect(t testing.TB, url string, o ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append(o, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// ground is a server with a fleet, and a gate that jobs can wait for.
type ground struct {
	t      testing.TB
	dir    string
	server *server.Server
	url    string
	nc     *nats.Conn // an operator's
	gate   string     // a directory that workers let jobs mount
}

func newGround(t testing.TB, c Config) *ground {
	t.Helper()
	g := &ground{t: t, dir: t.TempDir(), gate: t.TempDir()}
	require.NoError(t, os.Chmod(g.gate, 0o755))
	g.server = serverAt(t, g.dir, -1)
	g.url = g.server.ClientURL()
	g.nc = connect(t, g.url)
	require.NoError(t, Provision(t.Context(), g.nc, c))
	return g
}

func (g *ground) client(o Options) *Client {
	g.t.Helper()
	c, err := NewClient(connect(g.t, g.url), o)
	require.NoError(g.t, err)
	return c
}

// worker starts a worker in this process. The function that it returns ends it.
func (g *ground) worker(o WorkerOptions) (stop func() error) {
	g.t.Helper()
	return g.start(connect(g.t, g.url), o)
}

// start is worker for a connection.
func (g *ground) start(nc *nats.Conn, o WorkerOptions) (stop func() error) {
	g.t.Helper()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(g.t, err)
	o.Lease, o.Mounts = lease, []string{g.gate}
	w, err := NewWorker(nc, r, o)
	require.NoError(g.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	g.t.Cleanup(func() {
		if err := stop(); o.Drain == 0 {
			require.NoError(g.t, err)
		}
		require.NoError(g.t, r.Close())
	})
	return stop
}

// process starts a worker in a process of its own.
func (g *ground) process(name string) *enginetest.Child {
	g.t.Helper()
	g.setenv("URL", g.url)
	g.setenv("NAME", name)
	g.setenv("GATE", g.gate)
	g.setenv("MAX_DELIVER", "3")
	return enginetest.StartChild(g.t, "worker", enginetest.Host())
}

func (g *ground) setenv(name, value string) {
	require.NoError(g.t, os.Setenv("FLEET_TEST_"+name, value))
}

// workerProcess is the process of a worker.
func workerProcess() int {
	env := func(name string) string { return os.Getenv("FLEET_TEST_" + name) }
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := func() error {
		nc, err := nats.Connect(env("URL"), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
		if err != nil {
			return err
		}
		defer nc.Close()
		r, err := sandbox.New(sandbox.Options{})
		if err != nil {
			return err
		}
		defer r.Close()
		deliver, err := strconv.Atoi(env("MAX_DELIVER"))
		if err != nil {
			return err
		}
		w, err := NewWorker(nc, r, WorkerOptions{Name: env("NAME"), Lease: lease, Mounts: []string{env("GATE")}, Concurrency: 2, MaxDeliver: deliver, Logger: slog.Default()})
		if err != nil {
			return err
		}
		return w.Run(ctx)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func shell(script string) sandbox.Job {
	return sandbox.Job{Image: enginetest.Busybox(), Cmd: []string{"sh", "-c", script}, Limits: sandbox.Limits{Network: "none", Timeout: 2 * time.Minute}}
}

// gated is a job that waits until open.
func (g *ground) gated(script string) sandbox.Job {
	j := shell("until [ -e /gate/open ]; do sleep 0.05; done; " + script)
	j.Mounts = []sandbox.Mount{{Source: g.gate, Target: "/gate", ReadOnly: true}}
	return j
}

func (g *ground) open() {
	require.NoError(g.t, os.WriteFile(filepath.Join(g.gate, "open"), nil, 0o644))
}

// ended is what came of a run.
type ended struct {
	res sandbox.Result
	err error
}

func begin(ctx context.Context, c *Client, j sandbox.Job) <-chan ended {
	end := make(chan ended, 1)
	go func() {
		res, err := c.RunOnce(ctx, j)
		end <- ended{res, err}
	}()
	return end
}

// await waits until it is so.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		require.True(t, time.Now().Before(end), what)
		<-time.After(20 * time.Millisecond)
	}
}

// running waits until the container of a job of that worker runs, by the worker's report and the
// engine's list, and returns the delivery.
func (g *ground) running(worker string) (number uint64) {
	g.t.Helper()
	await(g.t, "a job that runs on "+worker, func() bool {
		report, err := Status(g.t.Context(), g.nc)
		if err != nil {
			return false
		}
		i := slices.IndexFunc(report.Workers, func(w WorkerReport) bool { return w.Name == worker && len(w.Running) > 0 })
		if i >= 0 {
			number = report.Workers[i].Running[0].Delivery
		}
		return i >= 0
	})
	return number
}

// idle waits until no worker of that name has a job.
func (g *ground) idle(worker string) {
	g.t.Helper()
	await(g.t, worker+" has no job", func() bool {
		report, err := Status(g.t.Context(), g.nc)
		return err == nil && slices.ContainsFunc(report.Workers, func(w WorkerReport) bool { return w.Name == worker && len(w.Running) == 0 })
	})
}

// stored is the result that the server has of a job.
func (g *ground) stored(id string) wire.Result {
	g.t.Helper()
	c := g.client(Options{})
	results, err := c.stores.resultsOf(g.t.Context(), DefaultName)
	require.NoError(g.t, err)
	entry, err := results.Get(g.t.Context(), resultKey(id))
	require.NoError(g.t, err)
	r, _, err := wire.UnmarshalResult(entry.Value())
	require.NoError(g.t, err)
	return r
}

// neverRan checks that no worker has stored a result.
func (g *ground) neverRan(id string) {
	g.t.Helper()
	results, err := g.client(Options{}).stores.resultsOf(g.t.Context(), DefaultName)
	require.NoError(g.t, err)
	_, err = results.Get(g.t.Context(), resultKey(id))
	require.ErrorIs(g.t, err, jetstream.ErrKeyNotFound)
}

// nothingLeft checks that the engine has no object of a run but those that were there before,
// once the workers that live have swept what others left.
func nothingLeft(t testing.TB, before []string) {
	t.Helper()
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.Sweep(t.Context())
	require.NoError(t, err)
	left := slices.DeleteFunc(enginetest.Objects(t, enginetest.API), func(object string) bool {
		return slices.Contains(before, object) || strings.HasSuffix(object, "-host") || strings.Contains(object, "-host-")
	})
	require.Empty(t, left)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
