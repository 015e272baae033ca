//go:build docker

package fleet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

func TestJobsAndResults(t *testing.T) {
	g := newGround(t, Config{})
	g.worker(WorkerOptions{})
	c := g.client(Options{})
	t.Run("small", func(t *testing.T) {
		j := shell("cat in; echo err >&2; cat >out; exit 3")
		j.WorkDir, j.Collect = "/workspace", []string{"/workspace/out", "/workspace/absent"}
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: "input\n"}))
		var stdout, stderr bytes.Buffer
		j.Stdout, j.Stderr, j.Stdin = &stdout, &stderr, strings.NewReader("from stdin")
		res, err := c.RunOnce(t.Context(), j)
		require.NoError(t, err)
		require.Equal(t, 3, res.ExitCode)
		require.Equal(t, "input\n", stdout.String())
		require.Equal(t, "err\n", stderr.String())
		require.Equal(t, "from stdin", string(res.Artifacts["/workspace/out"]))
		require.ErrorIs(t, res.Uncollected["/workspace/absent"], os.ErrNotExist)
	})
	t.Run("large", func(t *testing.T) {
		body := strings.Repeat("0123456789abcdef", 1<<18)
		j := shell("cat in; cp in out")
		j.WorkDir, j.Collect = "/workspace", []string{"/workspace/out"}
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: body}))
		res, err := c.RunOnce(t.Context(), j)
		require.NoError(t, err)
		require.Zero(t, res.ExitCode)
		require.True(t, body == string(res.Logs))
		require.True(t, body == string(res.Artifacts["/workspace/out"]))
		objects, err := c.stores.objectsOf(t.Context(), DefaultName)
		require.NoError(t, err)
		await(t, "the input and the result are removed", func() bool {
			list, err := objects.List(t.Context())
			return err != nil && len(list) == 0
		})
	})
	t.Run("writer that fails", func(t *testing.T) {
		j := shell("echo x; sleep 60")
		boom := errors.New("boom")
		j.Stdout = writerFunc(func([]byte) (int, error) { return 0, boom })
		_, err := c.RunOnce(t.Context(), j)
		require.ErrorIs(t, err, boom)
		require.EqualError(t, err, "sandbox: wait: Stdout: boom")
	})
	t.Run("invalid", func(t *testing.T) {
		_, err := c.RunOnce(t.Context(), sandbox.Job{})
		_, direct := sandbox.RunOnce(t.Context(), sandbox.Job{})
		require.EqualError(t, err, direct.Error())
	})
	t.Run("not allowed", func(t *testing.T) {
		j := shell("true")
		j.Mounts = []sandbox.Mount{{Source: "/usr", Target: "/x", ReadOnly: true}, {Source: g.gate, Target: "/y"}}
		j.Limits.Network = "internal"
		_, err := c.RunOnce(t.Context(), j)
		require.ErrorIs(t, err, ErrNotAllowed)
		for _, part := range []string{`Mounts source "/usr"`, `Mounts source "` + g.gate + `" is read-only`, `Limits.Network "internal"`} {
			require.ErrorContains(t, err, part)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		j := shell("echo started; sleep 60")
		j.Stdout = writerFunc(func(p []byte) (int, error) { cancel(why); return len(p), nil })
		res, err := c.RunOnce(ctx, j)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, why)
		require.Equal(t, "started\n", string(res.Logs))
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.RunOnce(ctx, shell("sleep 60"))
		require.EqualError(t, err, "sandbox: wait: context deadline exceeded")
		require.NotErrorIs(t, err, context.Canceled)
	})
}

// A job that waits is given up, and never runs.
func TestCancelledInTheQueue(t *testing.T) {
	g := newGround(t, Config{})
	c := g.client(Options{})
	ctx, cancel := context.WithTimeout(WithID(t.Context(), "waits"), time.Second)
	defer cancel()
	_, err := c.RunOnce(ctx, g.gated("echo ran"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	report, err := Status(t.Context(), g.nc)
	require.NoError(t, err)
	require.Equal(t, map[string]int{DefaultName: 1}, report.Queues)
	g.worker(WorkerOptions{})
	await(t, "the queue is empty", func() bool {
		report, err := Status(t.Context(), g.nc)
		return err == nil && len(report.Queues) == 0
	})
	g.neverRan("waits")
}

// A client that comes back with the ID of a job gets what that brings, and no other job can
// have it.
func TestSameID(t *testing.T) {
	g := newGround(t, Config{})
	g.worker(WorkerOptions{Name: "one"})
	ctx, c := WithID(t.Context(), "build-17"), g.client(Options{})
	job := func() sandbox.Job {
		j := g.gated("head -c 300000 /dev/urandom | base64 -w 0; cat /workspace/in")
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: strings.Repeat("x", 1<<20)}))
		return j
	}
	first := begin(ctx, c, job())
	g.running("one")
	second := begin(ctx, g.client(Options{}), job())
	live := job()
	live.Stdout = &bytes.Buffer{}
	_, err := g.client(Options{}).RunOnce(ctx, live)
	require.ErrorIs(t, err, ErrIDTaken)
	g.open()
	one, two := <-first, <-second
	require.NoError(t, one.err)
	require.NoError(t, two.err)
	require.Equal(t, one.res, two.res)
	third, err := g.client(Options{}).RunOnce(ctx, job())
	require.NoError(t, err)
	require.Equal(t, one.res, third)
	_, err = c.RunOnce(ctx, shell("echo another"))
	require.ErrorIs(t, err, ErrIDTaken)
	_, err = c.RunOnce(WithID(t.Context(), "no.such name"), shell("true"))
	require.ErrorContains(t, err, `WithID "no.such name"`)
}

// A call that has come back to a job that is then given up by the other call gets its own.
func TestSameIDGivenUp(t *testing.T) {
	g := newGround(t, Config{})
	ctx, cancel := context.WithCancel(WithID(t.Context(), "build-18"))
	first := begin(ctx, g.client(Options{}), shell("echo ran"))
	await(t, "the job waits", func() bool {
		report, err := Status(t.Context(), g.nc)
		return err == nil && report.Queues[DefaultName] == 1
	})
	second := begin(WithID(t.Context(), "build-18"), g.client(Options{}), shell("echo ran"))
	cancel()
	require.ErrorIs(t, (<-first).err, context.Canceled)
	g.worker(WorkerOptions{})
	end := <-second
	require.NoError(t, end.err)
	require.Equal(t, "ran\n", string(end.res.Logs))
}

// What is full is an error with a name, and what waits is not lost for it.
func TestFull(t *testing.T) {
	g := newGround(t, Config{MaxQueued: 1, MaxStoreBytes: 3 << 20})
	c := g.client(Options{})
	large := func(size int) sandbox.Job {
		j := shell("true")
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: strings.Repeat("x", size)}))
		return j
	}
	_, err := c.RunOnce(t.Context(), large(4<<20))
	require.ErrorIs(t, err, ErrStoreFull)
	_, err = g.client(Options{MaxInputBytes: 1 << 20}).RunOnce(t.Context(), large(2<<20))
	require.ErrorIs(t, err, ErrInputTooLarge)
	j := shell("true")
	j.Env = map[string]string{"LARGE": strings.Repeat("x", 17<<20)}
	_, err = c.RunOnce(t.Context(), j)
	require.ErrorIs(t, err, ErrJobTooLarge)

	waits := begin(t.Context(), c, g.gated("head -c 5000000 /dev/zero"))
	await(t, "the job waits", func() bool {
		report, err := Status(t.Context(), g.nc)
		return err == nil && report.Queues[DefaultName] == 1
	})
	_, err = c.RunOnce(t.Context(), large(1<<20))
	require.ErrorIs(t, err, ErrQueueFull)
	g.worker(WorkerOptions{})
	g.open()
	end := <-waits
	require.ErrorIs(t, end.err, ErrStoreFull, "a result of five megabytes")
	require.Zero(t, end.res.ExitCode)
	res, err := c.RunOnce(t.Context(), large(2<<20))
	require.NoError(t, err, "all of it is free again")
	require.Zero(t, res.ExitCode)
}

// A server that starts again loses neither a job that waits nor one that runs.
func TestServerStartsAgain(t *testing.T) {
	g := newGround(t, Config{})
	port := g.server.Addr().(*net.TCPAddr).Port
	g.worker(WorkerOptions{Name: "one", Concurrency: 1})
	c := g.client(Options{})
	var stdout bytes.Buffer
	j := g.gated("seq 1000")
	j.Stdout = &stdout
	runs := begin(t.Context(), c, j)
	g.running("one")
	waits := begin(t.Context(), c, g.gated("seq 2000"))
	await(t, "the job waits", func() bool {
		report, err := Status(t.Context(), g.nc)
		return err == nil && report.Queues[DefaultName] == 2
	})
	g.server.Shutdown()
	g.server.WaitForShutdown()
	g.open()
	g.server = serverAt(t, g.dir, port)
	one, two := <-runs, <-waits
	require.NoError(t, one.err)
	require.NoError(t, two.err)
	require.Equal(t, 1000, bytes.Count(one.res.Logs, []byte("\n")))
	require.Equal(t, string(one.res.Logs), stdout.String())
	require.Equal(t, 2000, bytes.Count(two.res.Logs, []byte("\n")))
}

// A job of which the client does not learn whether the server has it is given up: whoever has it
// does not run it.
func TestSendingIsUnclear(t *testing.T) {
	g := newGround(t, Config{})
	nc := connect(t, g.url)
	c, err := NewClient(nc, Options{})
	require.NoError(t, err)
	_, err = c.stores.resultsOf(t.Context(), DefaultName)
	require.NoError(t, err)
	port := g.server.Addr().(*net.TCPAddr).Port
	g.server.Shutdown()
	g.server.WaitForShutdown()
	task, err := c.newTask(WithID(t.Context(), "unclear"), shell("echo ran"))
	require.NoError(t, err)
	defer task.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	sent := make(chan error, 1)
	var value []byte
	go func() {
		var err error
		value, err = task.submit(ctx) // the library keeps the message, and sends it later
		sent <- err
	}()
	<-ctx.Done()
	g.server = serverAt(t, g.dir, port)
	require.NoError(t, <-sent)
	require.NotNil(t, value)
	data, err := task.marshal(t.Context())
	require.NoError(t, err)
	await(t, "the server has the job", func() bool {
		task.js.Publish(t.Context(), jobSubject(DefaultName, DefaultName, "unclear"), data) // as the library may
		report, err := Status(t.Context(), g.nc)
		return err == nil && report.Queues[DefaultName] == 1
	})
	g.worker(WorkerOptions{})
	await(t, "the queue is empty", func() bool {
		report, err := Status(t.Context(), g.nc)
		return err == nil && len(report.Queues) == 0
	})
	g.neverRan("unclear")
	_, err = task.result(ctx, value)
	require.EqualError(t, err, "sandbox: wait: context deadline exceeded")
}
