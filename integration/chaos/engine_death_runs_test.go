//go:build docker

package chaos_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// interruptedRun is a run whose engine is killed or stopped. reached is closed when
// the run is in the phase of interest.
type interruptedRun struct {
	job     sandbox.Job
	ctx     context.Context
	bounds  bounds.Bounds
	handle  func(*enginetest.Exchange) // of a proxy in front of the engine; nil = no proxy
	id      string
	reached chan struct{}

	interrupted time.Time // when the engine was
	ended       time.Time // when the run had
	res         sandbox.Result
	err         error
	done        chan struct{} // closed after the three are set
}

func (m *interruptedEngine) run(script string) *interruptedRun {
	return &interruptedRun{
		job: sandbox.Job{Image: m.image, Cmd: []string{"sh", "-c", script}, Limits: sandbox.Limits{Network: "none"},
			InputTar: bytes.NewReader(tarball.Of()), Collect: []string{"/workspace"}},
		ctx: context.Background(), bounds: interruptedBounds(), id: owner.RandomID(),
		reached: make(chan struct{}), done: make(chan struct{}),
	}
}

// begin starts runs and waits until each is in its phase.
func (m *interruptedEngine) begin(t *testing.T, runs ...*interruptedRun) {
	t.Helper()
	for _, d := range runs {
		host := m.Host
		if d.handle != nil {
			host = enginetest.NewProxy(t, m.API, d.handle).Host
		}
		r, err := sandbox.New(sandbox.Options{Host: host})
		require.NoError(t, err)
		m.closing.Add(1)
		go func() {
			defer m.closing.Done()
			func() {
				defer close(d.done)
				d.res, d.err = r.RunOnce(owner.WithID(bounds.With(d.ctx, d.bounds), d.id), d.job)
				d.ended = time.Now()
			}()
			r.Close() // which can fail like the run
		}()
	}
	for _, d := range runs {
		select {
		case <-d.reached:
		case <-d.done:
			t.Fatalf("the run ended before: %v", d.err)
		}
	}
}

// interrupt gives the engine an order and notes the time.
func (m *interruptedEngine) interrupt(t *testing.T, order string, runs ...*interruptedRun) {
	t.Helper()
	for _, d := range runs {
		d.interrupted = time.Now()
	}
	m.Order(t, order)
}

func (d *interruptedRun) took() time.Duration { return d.ended.Sub(d.interrupted) }

// end waits for the end of the run, which is bounded.
func (d *interruptedRun) end(t *testing.T, what string) {
	t.Helper()
	select {
	case <-d.done:
	case <-time.After(promptAfterDeath + d.bounds.Return()):
		t.Fatalf("%s: no end within %v of the engine's", what, promptAfterDeath+d.bounds.Return())
	}
	t.Logf("%s: %v after the engine's end: exit %d, %v", what, d.took().Round(10*time.Millisecond), d.res.ExitCode, d.err)
}

// requireMayBeLeft checks that the error names objects; %s is the name of the run.
func (d *interruptedRun) requireMayBeLeft(t *testing.T, objects ...string) {
	t.Helper()
	require.ErrorIs(t, d.err, sandbox.ErrCleanup)
	require.NotErrorIs(t, d.err, context.DeadlineExceeded)
	require.Equal(t, -1, d.res.ExitCode)
	for _, object := range objects {
		require.ErrorContains(t, d.err, fmt.Sprintf(object, owner.NamePrefix+d.id)+" may be left: ")
	}
}

// waiting is a run whose command waits for enginetest.Release.
func (m *interruptedEngine) waiting() *interruptedRun {
	d := m.run("read x; echo started; " + enginetest.AwaitRelease + "; echo ended")
	d.job.Stdin = strings.NewReader("the start is over\n") // it is not read before
	var once sync.Once
	d.job.Stdout = runtest.WriterFunc(func(p []byte) (int, error) {
		once.Do(func() { close(d.reached) })
		return len(p), nil
	})
	return d
}

// uploading is a run in the middle of its input, which continues when goOn is closed.
func (m *interruptedEngine) uploading(goOn <-chan struct{}) *interruptedRun {
	d := m.run("cat /workspace/big | wc -c")
	var head bytes.Buffer
	const size = 64 << 20
	header := &tar.Header{Name: "big", Mode: 0o644, Size: size}
	if err := tar.NewWriter(&head).WriteHeader(header); err != nil {
		panic(err)
	}
	pause := runtest.ReaderFunc(func([]byte) (int, error) {
		close(d.reached)
		<-goOn
		return 0, io.EOF
	})
	d.job.InputTar = io.MultiReader(&head, io.LimitReader(zeros{}, size/2), pause, io.LimitReader(zeros{}, size/2+2*512))
	return d
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// collecting is a run that is reading an artifact.
func (m *interruptedEngine) collecting(goOn <-chan struct{}) *interruptedRun {
	d := m.run("truncate -s 200M /workspace/big")
	d.job.Collect = []string{"/workspace/big"}
	var once sync.Once
	d.handle = func(x *enginetest.Exchange) {
		if x.Text == beforeRead {
			x.Copy = func(w io.Writer, body io.Reader) {
				io.CopyN(w, body, 1)
				once.Do(func() { close(d.reached); <-goOn })
				x.CopyBody(w, body)
			}
		}
		x.Forward()
	}
	return d
}
