//go:build docker

package fleet

import (
	"bytes"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// The job of a worker that was killed is run by another one.
func TestWorkerIsKilled(t *testing.T) {
	before := enginetest.Objects(t, enginetest.API)
	g := newGround(t, Config{})
	killed := g.process("killed")
	c := g.client(Options{})
	j := g.gated("echo ran")
	j.Stdout = io.Discard // nothing is delivered before the gate opens
	end := begin(t.Context(), c, j)
	g.running("killed")
	killed.Kill()
	g.worker(WorkerOptions{Name: "other"})
	require.EqualValues(t, 2, g.running("other"))
	g.open()
	got := <-end
	require.NoError(t, got.err)
	require.Equal(t, "ran\n", string(got.res.Logs))
	nothingLeft(t, before)
}

// A worker that was suspended comes too late: another one has run the job.
func TestWorkerIsSuspended(t *testing.T) {
	before := enginetest.Objects(t, enginetest.API)
	g := newGround(t, Config{})
	suspended := g.process("suspended")
	c := g.client(Options{})
	end := begin(WithID(t.Context(), "job"), c, g.gated("echo ran"))
	g.running("suspended")
	require.NoError(t, suspended.Cmd.Process.Signal(syscall.SIGSTOP))
	g.worker(WorkerOptions{Name: "other"})
	require.EqualValues(t, 2, g.running("other"))
	g.open()
	got := <-end
	require.NoError(t, got.err)
	require.EqualValues(t, 2, g.stored("job").Delivery)
	require.NoError(t, suspended.Cmd.Process.Signal(syscall.SIGCONT))
	g.idle("suspended")
	require.EqualValues(t, 2, g.stored("job").Delivery)
	nothingLeft(t, before)
}

// The result of an earlier delivery does not count once a later one has begun, even if it is
// the first.
func TestLateResultIsFencedOff(t *testing.T) {
	g := newGround(t, Config{})
	suspended := g.process("suspended")
	c := g.client(Options{})
	end := begin(WithID(t.Context(), "job"), c, g.gated("echo ran"))
	g.running("suspended")
	require.NoError(t, suspended.Cmd.Process.Signal(syscall.SIGSTOP))
	other := g.process("other")
	require.EqualValues(t, 2, g.running("other"))
	require.NoError(t, other.Cmd.Process.Signal(syscall.SIGSTOP))
	g.open()
	require.NoError(t, suspended.Cmd.Process.Signal(syscall.SIGCONT))
	g.idle("suspended")
	require.Empty(t, end)
	other.Kill()
	got := <-end
	require.NoError(t, got.err)
	require.EqualValues(t, 3, g.stored("job").Delivery)
}

// A job that every worker is lost with ends.
func TestJobThatKillsItsWorkers(t *testing.T) {
	g := newGround(t, Config{})
	c := g.client(Options{})
	end := begin(t.Context(), c, g.gated("true"))
	for _, name := range []string{"one", "two", "three"} {
		w := g.process(name)
		g.running(name)
		w.Kill()
	}
	g.process("four")
	got := <-end
	require.ErrorIs(t, got.err, ErrMaxDeliver)
	require.ErrorContains(t, got.err, "3 workers have begun it, and were lost")
	require.Equal(t, -1, got.res.ExitCode)
}

// A job whose input was read, or whose output was delivered, cannot be run again.
func TestLiveJobLosesItsWorker(t *testing.T) {
	for _, what := range []string{"Stdin", "Stdout"} {
		t.Run(what, func(t *testing.T) {
			g := newGround(t, Config{})
			w := g.process("killed")
			j := g.gated("true")
			used := make(chan struct{})
			if what == "Stdin" {
				r, in := io.Pipe()
				defer in.Close()
				go func() { in.Write([]byte("input")); close(used) }()
				j.Stdin = r
			} else {
				j.Cmd[2] = "echo started; " + j.Cmd[2]
				j.Stdout = writerFunc(func(p []byte) (int, error) { close(used); return len(p), nil })
			}
			end := begin(t.Context(), g.client(Options{}), j)
			g.running("killed")
			<-used
			w.Kill()
			g.worker(WorkerOptions{Name: "other"})
			got := <-end
			require.ErrorIs(t, got.err, ErrWorkerLost)
			require.Equal(t, -1, got.res.ExitCode)
		})
	}
}

// A worker that ends gives back what does not end in time, and another one runs it.
func TestWorkerDrains(t *testing.T) {
	g := newGround(t, Config{})
	stop := g.worker(WorkerOptions{Name: "ends", Drain: lease})
	c := g.client(Options{})
	end := begin(t.Context(), c, g.gated("echo ran"))
	g.running("ends")
	require.ErrorContains(t, stop(), "were cut off, and go to another worker")
	g.worker(WorkerOptions{Name: "other"})
	require.EqualValues(t, 2, g.running("other"))
	g.open()
	require.NoError(t, (<-end).err)
}

// A client that is gone cannot be written to: its job ends.
func TestClientIsGone(t *testing.T) {
	g := newGround(t, Config{})
	g.worker(WorkerOptions{Name: "one"})
	nc := connect(t, g.url)
	c, err := NewClient(nc, Options{})
	require.NoError(t, err)
	var stdout bytes.Buffer
	j := g.gated("true")
	j.Stdout, j.Stdin = &stdout, strings.NewReader("")
	end := begin(WithID(t.Context(), "job"), c, j)
	g.running("one")
	nc.Close()
	require.Error(t, (<-end).err)
	g.idle("one")
	require.Contains(t, g.stored("job").Fault.Err(nil).Error(), "the client was lost")
}
