//go:build docker && soak

package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

const (
	soakRuns   = 500
	soakAtOnce = 8
	soakWarm   = 50 // runs until the figures that the last ones are compared with
)

// soakCase is a kind of run. wrong says what is wrong with the outcome, "" = nothing.
type soakCase struct {
	name  string
	job   func(t *testing.T, i int) sandbox.Job
	limit time.Duration // the caller's patience, 0 = endless
	wrong func(i int, res sandbox.Result, err error) string
}

// TestSoak runs jobs of every kind through one Runner. Each result must be right, and
// neither this process nor the engine may grow after the first runs.
func TestSoak(t *testing.T) {
	r, err := sandbox.New(sandbox.Options{})
	require.NoError(t, err)
	warm := soak(t, r, 0, soakWarm)
	end := soak(t, r, soakWarm, soakRuns)
	require.NoError(t, r.Close())

	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "after run\tgoroutines\topen files\tresident MiB\tcontainers\tvolumes\t")
	for _, f := range []figures{warm, end} {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t\n", f.runs, f.goroutines, f.files, f.resident>>20, f.containers, f.volumes)
	}
	w.Flush()
	t.Logf("%d of %d runs right, %d at a time\n%s", soakRuns, soakRuns, soakAtOnce, &text)
	require.LessOrEqual(t, end.goroutines, warm.goroutines)
	require.LessOrEqual(t, end.files, warm.files)
	require.Less(t, end.resident, warm.resident+8<<20)
	require.Equal(t, warm.containers, end.containers)
	require.Equal(t, warm.volumes, end.volumes)
}

// soak runs the jobs from first to last and measures what there is afterwards.
func soak(t *testing.T, r *sandbox.Runner, first, last int) figures {
	t.Helper()
	cases := soakCases()
	next := make(chan int)
	var workers sync.WaitGroup
	for range soakAtOnce {
		workers.Go(func() {
			for i := range next {
				soakOne(t, r, cases[i%len(cases)], i)
			}
		})
	}
	for i := first; i < last; i++ {
		next <- i
	}
	close(next)
	workers.Wait()
	require.False(t, t.Failed(), "runs with a wrong end")
	return measure(t, last)
}

func soakOne(t *testing.T, r *sandbox.Runner, c soakCase, i int) {
	ctx := context.Background()
	if c.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.limit)
		defer cancel()
	}
	res, err := r.RunOnce(ctx, c.job(t, i))
	if errors.Is(err, sandbox.ErrCleanup) {
		t.Errorf("run %d, %s: %v", i, c.name, err)
	}
	if why := c.wrong(i, res, err); why != "" {
		t.Errorf("run %d, %s: %s; status %d, timed out %t, error %v", i, c.name, why, res.ExitCode, res.TimedOut, err)
	}
}

// figures are the measurements that must not grow.
type figures struct {
	runs, goroutines, files, containers, volumes int
	resident                                     int64
}

func measure(t *testing.T, runs int) figures {
	t.Helper()
	debug.FreeOSMemory() // what is resident then is what is held
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	statm, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, resident int64
	_, err = fmt.Fscan(bytes.NewReader(statm), &size, &resident)
	require.NoError(t, err)
	containers, err := enginetest.API.ContainerList(t.Context(), container.ListOptions{All: true})
	require.NoError(t, err)
	volumes, err := enginetest.API.VolumeList(t.Context(), volume.ListOptions{})
	require.NoError(t, err)
	return figures{
		runs: runs, goroutines: runtime.NumGoroutine(), files: len(files), resident: resident * int64(os.Getpagesize()),
		containers: len(containers), volumes: len(volumes.Volumes),
	}
}

// soakCases returns the kinds of runs, which take turns.
func soakCases() []soakCase {
	big := strings.Repeat("0123456789abcdef", 64<<10)
	script := func(s string) func(*testing.T, int) sandbox.Job {
		return func(*testing.T, int) sandbox.Job { return runtest.Shell(s) }
	}
	input := func(t *testing.T, i int) sandbox.Job {
		j := runtest.Shell("cat /workspace/in; tr a-z A-Z </workspace/in >/workspace/out")
		j.InputTar = bytes.NewReader(tarball.Of(tarball.File{Name: "in", Body: fmt.Sprintf("run %d", i)}, tarball.File{Name: "big", Body: big}))
		j.Collect = []string{"/workspace/out", "/workspace/none"}
		return j
	}
	return []soakCase{
		{"plain", script("echo hello; exit 3"), 0, func(_ int, res sandbox.Result, err error) string {
			return unless(err == nil && res.ExitCode == 3 && string(res.Logs) == "hello\n", "wrong result")
		}},
		{"input and artifact", input, 0, func(i int, res sandbox.Result, err error) string {
			right := string(res.Logs) == fmt.Sprintf("run %d", i) && string(res.Artifacts["/workspace/out"]) == fmt.Sprintf("RUN %d", i)
			return unless(err == nil && right && errors.Is(res.Uncollected["/workspace/none"], fs.ErrNotExist), "wrong result")
		}},
		{"timeout", func(*testing.T, int) sandbox.Job {
			j := runtest.Shell("echo begun; sleep 600")
			j.Limits.Timeout = time.Second
			return j
		}, 0, func(_ int, res sandbox.Result, err error) string {
			return unless(err == nil && res.TimedOut && res.ExitCode == 137, "no timeout")
		}},
		{"cancel", script("sleep 600"), 2 * time.Second, func(_ int, res sandbox.Result, err error) string {
			return unless(errors.Is(err, context.DeadlineExceeded) && !res.TimedOut, "no deadline")
		}},
		{"cut tar", func(t *testing.T, i int) sandbox.Job {
			j := input(t, i)
			whole := tarball.Of(tarball.File{Name: "big", Body: big})
			j.InputTar = bytes.NewReader(whole[:len(whole)/2])
			return j
		}, 0, func(_ int, _ sandbox.Result, err error) string {
			return unless(err != nil && strings.Contains(err.Error(), "sandbox: stage: InputTar"), "not refused")
		}},
		{"missing command", func(*testing.T, int) sandbox.Job {
			j := runtest.Shell("")
			j.Cmd = []string{"no-such-command"}
			return j
		}, 0, func(_ int, res sandbox.Result, err error) string {
			return unless(err == nil && res.ExitCode == 127, "wrong status")
		}},
		{"10 MB of output", script("head -c 10485760 /dev/zero"), 0, func(_ int, res sandbox.Result, err error) string {
			return unless(err == nil && len(res.Logs) == 10<<20 && res.LogsDropped == 0, "output missing")
		}},
		{"setup", func(t *testing.T, i int) sandbox.Job {
			j := input(t, i)
			j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", "echo set up; echo more >>/workspace/in"}, Network: "none"}
			return j
		}, 0, func(i int, res sandbox.Result, err error) string {
			right := string(res.Logs) == fmt.Sprintf("run %dmore\n", i) && string(res.SetupLogs) == "set up\n"
			return unless(err == nil && right, "wrong result")
		}},
		{"failed setup", func(t *testing.T, i int) sandbox.Job {
			j := input(t, i)
			j.Setup = sandbox.Setup{Cmd: []string{"sh", "-c", "sleep 600"}, Network: "none", Timeout: time.Second}
			return j
		}, 0, func(_ int, res sandbox.Result, err error) string {
			return unless(err == nil && res.SetupFailed && res.TimedOut && res.Logs == nil, "wrong result")
		}},
		{"over the caps", func(*testing.T, int) sandbox.Job {
			j := runtest.Shell("head -c 1000000 /dev/zero | tee /workspace/big")
			j.Collect = []string{"/workspace/big"}
			j.Limits.LogBytes, j.Limits.ArtifactBytes = 1000, 1000
			return j
		}, 0, func(_ int, res sandbox.Result, err error) string {
			right := res.LogsDropped == 999_000 && errors.Is(res.Uncollected["/workspace/big"], sandbox.ErrTooLarge)
			return unless(err == nil && right, "caps not kept")
		}},
	}
}

func unless(right bool, why string) string {
	if right {
		return ""
	}
	return why
}
