//go:build docker

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/bounds"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
	"github.com/synchestra-io/sandbox/internal/spantest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// matrix runs one job many times, each time with one fault, and checks at the end of
// the test that nothing is left. No other test may run at the same time; the cases
// of a matrix may run in parallel.
type matrix struct {
	name    string                // of the image, without its tag
	stored  []byte                // its manifest
	job     sandbox.Job           // without Image, InputTar, and its other reader and writers
	input   []byte                // its InputTar
	stdin   string                // its Stdin; with it, it has Stdout and Stderr
	clean   []enginetest.Recorded // a clean run's requests
	want    outcome               // what it brings
	took    time.Duration         // how long it takes
	columns []fault
	spans   *spantest.Recorder

	mu     sync.Mutex
	cells  int
	result map[string]string // of a case
}

// faultJob reads its input, writes two artifacts, and writes to both streams.
func faultJob() sandbox.Job {
	script := fmt.Sprintf("head -c %d in >big && mkdir out && echo one >out/one && echo two >out/two && "+
		"echo first && echo warning >&2 && sleep $%s && echo last", artifactSize, pauseEnv)
	return sandbox.Job{
		Cmd: []string{"sh", "-c", script}, Env: map[string]string{pauseEnv: "0"}, WorkDir: "/workspace",
		Collect: []string{jobArtifact, jobDirectory}, Limits: sandbox.Limits{Network: "none"},
	}
}

// newMatrix runs the job without a fault and checks the result. It runs it until two
// runs in a row have sent the same requests: a busy engine is asked some things again.
func newMatrix(t *testing.T, j sandbox.Job, columns []fault, stdin string) *matrix {
	t.Helper()
	m := &matrix{job: j, columns: columns, stdin: stdin, spans: spantest.Record(t), result: map[string]string{}}
	m.checkAtEnd(t)
	content := make([]byte, inputSize)
	rand.NewChaCha8([32]byte{}).Read(content)
	m.input = tarball.Of(tarball.File{Name: "in", Body: string(content)})
	m.push(t)

	for again := 0; !m.runClean(t, content); again++ {
		require.Less(t, again, 5, "no two runs send the same requests")
	}
	return m
}

// runClean runs the job without a fault, and tells whether it sent the same requests
// as before.
func (m *matrix) runClean(t *testing.T, content []byte) (same bool) {
	t.Helper()
	p := enginetest.NewProxy(t, enginetest.API, nil)
	start := time.Now()
	o := m.run(t, context.Background(), p, faultBounds(), m.newJob(t))
	m.took = time.Since(start)
	require.NoError(t, errors.Join(o.err, o.closed))
	enginetest.AssertNothingLeft(t, o.id)
	require.Equal(t, content[:artifactSize], o.res.Artifacts[jobArtifact])
	require.Equal(t, "one\n", string(o.res.Artifacts[jobDirectory+"/one"]))
	require.Len(t, o.res.Artifacts, 3)
	before := m.clean
	m.clean, m.want = p.Recorded(), o
	return slices.Equal(texts(before), texts(m.clean))
}

// texts are those of requests, sorted: some are under way at once.
func texts(requests []enginetest.Recorded) (list []string) {
	for _, r := range requests {
		list = append(list, r.Text)
	}
	slices.Sort(list)
	return list
}

var runName = regexp.MustCompile(owner.NamePrefix + "([0-9a-f]{32})")

// outcome is the outcome of a run. Without an error the writers are complete.
type outcome struct {
	res            sandbox.Result
	id             string
	err            error
	closed         error    // of the Runner's Close
	runs           []string // the IDs of the run, and of what the Runner kept
	stdout, stderr *bytes.Buffer
}

// run runs the job through a proxy. It checks the duration, and that the library
// closes its connections.
func (m *matrix) run(t *testing.T, ctx context.Context, p *enginetest.Proxy, b bounds.Bounds, j sandbox.Job) outcome {
	t.Helper()
	j.InputTar = bytes.NewReader(m.input)
	o := outcome{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	if m.stdin != "" {
		j.Stdin, j.Stdout, j.Stderr = strings.NewReader(m.stdin), o.stdout, o.stderr
	}
	r, err := sandbox.New(sandbox.Options{Host: p.Host})
	require.NoError(t, err)
	// End a run that does not end by itself, so that the other cases can go on. The fault
	// takes the time of one call, and no more than the ending when the context has ended.
	limit := max(b.Call, b.Slow, b.Stall) + b.Return() + faultAllowed*m.took
	ctx, cancel := context.WithCancel(bounds.With(ctx, b))
	defer time.AfterFunc(limit, cancel).Stop()
	defer cancel()
	var canceled atomic.Int64
	defer context.AfterFunc(ctx, func() { canceled.Store(time.Now().UnixNano()) })()
	start := time.Now()
	o.res, o.id, o.err = runtest.RunWith(ctx, r, j)
	if at := canceled.Load(); at > 0 {
		require.Less(t, time.Since(time.Unix(0, at)), b.Return(), "after the end of the context: %v", o.err)
	}
	require.Less(t, time.Since(start), limit, "%v", o.err)
	m.requireSpans(t, o)
	start = time.Now()
	o.closed = r.Close()
	o.runs = p.Runs()
	// What was being made when the engine went away is in no other request.
	for _, named := range runName.FindAllStringSubmatch(fmt.Sprint(o.err, o.closed), -1) {
		o.runs = append(o.runs, named[1])
	}
	slices.Sort(o.runs)
	o.runs = slices.Compact(o.runs)
	require.Less(t, time.Since(start), limit, "%v", o.closed)
	t.Cleanup(func() { enginetest.RemoveObjects(t, o.left(t)) })
	p.Release()
	require.Eventually(t, func() bool { return p.Open() == 0 }, 3*time.Second, 5*time.Millisecond, "connections left")
	return o
}

// requireSpans is the rule for what is told of a run, whatever happens to it: its steps as far as
// it came, and its clean-up, once each.
func (m *matrix) requireSpans(t *testing.T, o outcome) {
	t.Helper()
	steps := []string{"validate", "pull", "stage", "create", "run", "collect"}
	if len(m.job.Setup.Cmd) > 0 {
		steps = slices.Insert(steps, 3, "setup")
	}
	var told []string
	for i, s := range m.spans.Of(o.id) {
		switch {
		case i == 0:
			require.Equal(t, "sandbox run", s.Name)
			require.Equal(t, 1, s.Ends)
			require.Equal(t, o.err != nil, s.Status != "", s.Status)
		case s.Parent == "sandbox run":
			require.Equal(t, 1, s.Ends, s.Name)
			told = append(told, s.Name)
		default: // a request
			require.Contains(t, append(steps, "cleanup"), s.Parent, s.Name)
		}
	}
	require.NotEmpty(t, told)
	require.Equal(t, append(steps[:len(told)-1:len(told)-1], "cleanup"), told)
}

// left lists what is on the engine of all that the proxy saw, containers first.
func (o outcome) left(t *testing.T) (objects []string) {
	t.Helper()
	for _, run := range o.runs {
		objects = append(objects, enginetest.LeftOf(t, run)...)
	}
	slices.Sort(objects)
	return objects
}

// inject runs the job with a fault at the request that has index i in a clean run.
func (m *matrix) inject(t *testing.T, i int, f fault, j sandbox.Job) outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x, nth := m.clean[i], 0
	for _, before := range m.clean[:i] {
		if before.Text == x.Text {
			nth++
		}
	}
	in := &injection{text: x.Text, nth: nth, fault: f, up: x.Up, output: int64(len(m.want.res.Logs)), cancel: cancel}
	p := enginetest.NewProxy(t, enginetest.API, in.handle)
	var o outcome
	t.Cleanup(func() { m.note(i, f, o.err, t.Failed()) })
	o = m.run(t, ctx, p, f.bounds(x.Text), j)
	require.True(t, in.fired.Load(), "the fault did not fire, after %q: %v", p.Requests(), o.err)
	return o
}

// note records an outcome for the table.
func (m *matrix) note(i int, f fault, err error, failed bool) {
	result := "ok"
	if step, found := runtest.AsError(err); found {
		result = string(step.Op)
	}
	if failed {
		result = "FAILED"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cells++
	m.result[rowName(i, m.clean[i])+string(f)] = result
}

// requireSame compares an outcome with that of the clean run. The order of the output
// is not fixed between the two streams: one may even come inside a line of the other.
func (m *matrix) requireSame(t *testing.T, o outcome) {
	t.Helper()
	require.Equal(t, sortedBytes(m.want.res.Logs), sortedBytes(o.res.Logs))
	require.Equal(t, m.want.stdout.String(), o.stdout.String())
	require.Equal(t, m.want.stderr.String(), o.stderr.String())
	require.GreaterOrEqual(t, o.res.Duration, time.Duration(0))
	for path, content := range m.want.res.Artifacts {
		require.True(t, bytes.Equal(content, o.res.Artifacts[path]), "%s differs", path)
	}
	require.Len(t, o.res.Artifacts, len(m.want.res.Artifacts))
	want, got := m.want.res, o.res
	want.Logs, want.Artifacts, want.Duration = nil, nil, 0
	got.Logs, got.Artifacts, got.Duration = nil, nil, 0
	require.Equal(t, want, got, "no error, so the result must be complete")
}

func sortedBytes(text []byte) string {
	text = slices.Clone(text)
	slices.Sort(text)
	return string(text)
}
