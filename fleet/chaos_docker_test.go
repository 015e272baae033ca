//go:build docker && soak

package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func init() { tasks["server"] = serverProcess }

// serverProcess is the process of a NATS server.
func serverProcess() int {
	env := func(name string) string { return os.Getenv("FLEET_TEST_" + name) }
	port, _ := strconv.Atoi(env("PORT"))
	o := &server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: env("STORE"), ServerName: env("PORT")}
	if routes := env("ROUTES"); routes != "" {
		o.Cluster = server.ClusterOpts{Name: "fleet", Host: "127.0.0.1", Port: port + 1000}
		for route := range strings.SplitSeq(routes, ",") {
			u, _ := url.Parse("nats-route://" + route)
			o.Routes = append(o.Routes, u)
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.Start()
	s.WaitForShutdown()
	return 0
}

// election is more than a cluster of servers needs to agree on new leaders.
const election = 12 * time.Second

// chaos is a fleet in which everything may be killed at any time.
type chaos struct {
	*ground
	mu      sync.Mutex // held while something is started or killed
	ports   []int
	stores  []string
	servers []*enginetest.Child
	engines []*enginetest.PrivateEngine
	workers []*enginetest.Child
	all     []*enginetest.Child // workers, also those that were killed
	acts    map[string]int
	failed  []string  // IDs
	killed  time.Time // when the last server was
}

func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for len(ports) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		if port := l.Addr().(*net.TCPAddr).Port; port < 60000 {
			ports = append(ports, port)
		}
	}
	return ports
}

func newChaos(t testing.TB, servers int) *chaos {
	t.Helper()
	c := &chaos{ground: &ground{t: t, gate: t.TempDir()}, acts: map[string]int{}}
	c.ports = freePorts(t, servers)
	var urls []string
	for i, port := range c.ports {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", port))
		c.stores = append(c.stores, t.TempDir())
		c.servers = append(c.servers, nil)
		c.startServer(i)
	}
	c.url = strings.Join(urls, ",")
	await(t, "the servers answer", func() bool {
		nc, err := nats.Connect(c.url)
		if err != nil {
			return false
		}
		defer nc.Close()
		return Provision(t.Context(), nc, Config{Replicas: servers}) == nil
	})
	c.nc = connect(t, c.url)
	for i := range 3 {
		e := enginetest.NewPrivateEngine(t, enginetest.Setup{})
		e.Busybox(t)
		c.engines = append(c.engines, e)
		c.workers = append(c.workers, nil)
		c.startWorker(i)
	}
	return c
}

func (c *chaos) startServer(i int) {
	var routes []string
	for _, port := range c.ports {
		if len(c.ports) > 1 {
			routes = append(routes, fmt.Sprintf("127.0.0.1:%d", port+1000))
		}
	}
	c.setenv("PORT", strconv.Itoa(c.ports[i]))
	c.setenv("STORE", c.stores[i])
	c.setenv("ROUTES", strings.Join(routes, ","))
	c.servers[i] = enginetest.StartChild(c.t, "server", enginetest.Host())
}

func (c *chaos) startWorker(i int) {
	c.setenv("URL", c.url)
	c.setenv("NAME", strconv.Itoa(i))
	c.setenv("GATE", c.gate)
	c.setenv("MAX_DELIVER", "1000")
	c.workers[i] = enginetest.StartChild(c.t, "worker", c.engines[i].Host)
	c.all = append(c.all, c.workers[i])
}

// act does one thing, and what it undoes again.
func (c *chaos) act(random *rand.Rand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := random.IntN(3)
	what := []string{"worker killed", "worker suspended", "engine killed", "server killed"}[random.IntN(4)]
	if what == "server killed" && len(c.servers) > 1 && time.Since(c.killed) < election {
		return // a cluster that has no leader yet does nothing
	}
	c.acts[what]++
	switch what {
	case "worker killed":
		c.workers[i].Kill()
		c.startWorker(i)
	case "worker suspended":
		c.workers[i].Cmd.Process.Signal(syscall.SIGSTOP)
		pause(context.Background(), 2*lease)
		c.workers[i].Cmd.Process.Signal(syscall.SIGCONT)
	case "engine killed":
		c.engines[i].Order(c.t, "kill")
		c.engines[i].Start(c.t)
	case "server killed":
		c.killed = time.Now()
		i %= len(c.servers)
		c.servers[i].Kill()
		c.startServer(i)
	}
}

// TestChaos runs 500 jobs of three clients on three workers, each with an engine of its own,
// while workers are killed and suspended, and engines and NATS servers are killed, all along.
func TestChaos(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", servers), func(t *testing.T) {
			c := newChaos(t, servers)
			clients := []*Client{c.client(Options{}), c.client(Options{}), c.client(Options{})}
			done, wreck := context.WithCancel(context.Background())
			var gremlin sync.WaitGroup
			gremlin.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(servers)))
				for done.Err() == nil {
					c.act(random)
					pause(done, time.Duration(random.IntN(1500))*time.Millisecond)
				}
			})
			defer func() { wreck(); gremlin.Wait() }()
			began := time.Now()
			lost := c.runJobs(clients, 500)
			took := time.Since(began)
			wreck()
			gremlin.Wait()
			t.Logf("500 jobs in %v, %d live ones lost their worker or its engine; %v", took.Round(time.Second), lost, c.acts)
			report, err := Status(t.Context(), c.nc)
			require.NoError(t, err)
			t.Logf("%+v", report)
			for i, w := range c.workers {
				w.Cmd.Process.Signal(syscall.SIGTERM)
				<-w.Ended
				r, err := sandbox.New(sandbox.Options{Host: c.engines[i].Host})
				require.NoError(t, err)
				_, err = r.Sweep(t.Context())
				require.NoError(t, err)
				require.NoError(t, r.Close())
				require.Empty(t, c.engines[i].Left(t), "what is left on engine %d", i)
			}
			c.explain()
		})
	}
}

// explain tells what the workers said of the jobs that failed.
func (c *chaos) explain() {
	for _, w := range c.all {
		w.Kill()
		for line := range strings.Lines(w.Output.String()) {
			for _, id := range c.failed {
				if strings.Contains(line, "id="+id+" ") {
					c.t.Log(line)
				}
			}
		}
	}
}

// runJobs runs n jobs and checks each result. It returns how many live ones lost their worker or
// its engine.
func (c *chaos) runJobs(clients []*Client, n int) int {
	var next, lost atomic.Int64
	var group sync.WaitGroup
	for _, client := range clients {
		for range 4 {
			group.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= n || c.t.Failed() {
						return
					}
					err := c.runJob(client, i)
					live := i%5 == 4 // which cannot be run again
					if live && (errors.Is(err, ErrWorkerLost) || engineFailed(err)) {
						lost.Add(1)
					} else if err != nil {
						c.t.Errorf("job %d: %v", i, err)
						c.mu.Lock()
						c.failed = append(c.failed, fmt.Sprintf("job-%d", i))
						c.mu.Unlock()
					}
				}
			})
		}
	}
	group.Wait()
	return int(lost.Load())
}

// runJob runs the job of that number, one of five kinds, and says what is wrong with its result.
func (c *chaos) runJob(client *Client, i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	j := sandbox.Job{Image: "busybox:test", Limits: sandbox.Limits{Network: "none", Timeout: 30 * time.Second}}
	var stdout bytes.Buffer
	want, status := fmt.Sprintf("job %d\n", i), i%7
	script := fmt.Sprintf("echo job %d; exit %d", i, status)
	switch i % 5 {
	case 1: // it takes a while
		script = "sleep 1; " + script
	case 2: // an input, and an artifact of a megabyte
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: strings.Repeat(want, 40_000)}))
		j.Collect = []string{"/workspace/out"}
		script = "cp /workspace/in /workspace/out; " + script
	case 3: // a megabyte of output
		want = strings.Repeat("y\n", 500_000) + want
		script = "yes | head -c 1000000; " + script
	case 4: // live
		j.Stdin, j.Stdout = strings.NewReader(want), &stdout
		script = fmt.Sprintf("cat; exit %d", status)
	}
	j.Cmd = []string{"sh", "-c", script}
	res, err := client.RunOnce(WithID(ctx, fmt.Sprintf("job-%d", i)), j)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		report, _ := Status(context.Background(), c.nc)
		return fmt.Errorf("%w; %+v", err, report)
	case err != nil:
		return err
	case res.ExitCode != status:
		return fmt.Errorf("exit status %d, not %d; output %.100q", res.ExitCode, status, res.Logs)
	case string(res.Logs) != want:
		return fmt.Errorf("output of %d bytes, not %d: %.100q", len(res.Logs), len(want), res.Logs)
	case j.Stdout != nil && stdout.String() != want:
		return fmt.Errorf("%d bytes on Stdout, not %d", stdout.Len(), len(want))
	case j.Collect != nil && string(res.Artifacts["/workspace/out"]) != strings.Repeat(want, 40_000):
		return fmt.Errorf("an artifact of %d bytes", len(res.Artifacts["/workspace/out"]))
	}
	return nil
}

// A worker that is suspended cannot be told that its job was cancelled. RunOnce says so, and no
// other worker begins the job.
func TestCancelOfASuspendedWorker(t *testing.T) {
	g := newGround(t, Config{})
	suspended := g.process("suspended")
	ctx, cancel := context.WithCancel(WithID(t.Context(), "job"))
	end := begin(ctx, g.client(Options{}), g.gated("echo ran"))
	g.running("suspended")
	require.NoError(t, suspended.Cmd.Process.Signal(syscall.SIGSTOP))
	cancelled := time.Now()
	cancel()
	got := <-end
	require.ErrorIs(t, got.err, context.Canceled)
	require.ErrorIs(t, got.err, sandbox.ErrCleanup)
	require.Less(t, time.Since(cancelled), ending+lookEvery)
	g.open() // whoever runs the job ends it at once, and has a result
	g.worker(WorkerOptions{Name: "other"})
	await(t, "the queue is empty", func() bool {
		report, err := Status(t.Context(), g.nc)
		return err == nil && len(report.Queues) == 0
	})
	g.neverRan("job")
	require.NoError(t, suspended.Cmd.Process.Signal(syscall.SIGCONT))
	g.idle("suspended")
	g.neverRan("job")
}
