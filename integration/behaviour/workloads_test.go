//go:build docker && workloads

package behaviour_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// workload is a test suite in a language, run as its users run it, in an image of
// Debian's packages. The output has the number of passed tests, so that no test can
// be left out unnoticed.
type workload struct {
	language string
	changes  []string // of the image, as in a Dockerfile

	cmd      []string
	reports  []string // on the output
	artifact string   // a file that the suite writes
	holds    string

	failing []string // a command for a test that fails
	failed  string   // its report
}

const (
	compile = "javac -d /tmp/classes *.java"
	junit   = compile + " && exec java org.junit.runner.JUnitCore "
)

var workloads = []workload{{
	language: "python",
	cmd:      []string{"python3", "-m", "unittest", "--verbose"},
	reports:  []string{"\nRan 12 tests in ", "\nOK\n"}, // "OK (skipped=1)" if one is
	artifact: "/workspace/numbers.db",
	holds:    "SQLite format 3\x00",
	failing:  []string{"python3", "-m", "unittest", "failing"},
	failed:   "\nFAILED (failures=1)\n",
}, {
	language: "node",
	cmd:      []string{"npm", "test"},
	reports:  []string{"\n# tests 11\n", "\n# pass 11\n"},
	artifact: "/workspace/report.xml",
	holds:    `<testcase name="worker threads share memory" `,
	failing:  []string{"npm", "run", "failing"},
	failed:   "\n# fail 1\n",
}, {
	language: "java",
	// dpkg would create links for the commands of these packages.
	changes: []string{
		"ENV PATH=/usr/lib/jvm/default-java/bin:/usr/bin",
		"ENV CLASSPATH=/tmp/classes:/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar",
	},
	cmd:      []string{"sh", "-c", junit + "WorkloadTest"},
	reports:  []string{"\nOK (11 tests)\n"},
	artifact: "/workspace/sum.txt",
	holds:    "sum 2646700\n",
	failing:  []string{"sh", "-c", junit + "Failing"},
	failed:   "\nTests run: 1,  Failures: 1\n",
}}

func TestWorkloads(t *testing.T) {
	for _, w := range workloads {
		t.Run(w.language, func(t *testing.T) {
			t.Parallel()
			image := w.image(t)
			source := tarball.Of(treeOf(t, filepath.Join("..", "..", "testdata", "workloads", w.language))...)
			for _, megabytes := range []int64{0, 256} {
				j := sandbox.Job{
					Image: image, WorkDir: "/workspace",
					Limits: sandbox.Limits{CPUs: 2, MemoryMB: 1024, PIDs: 256, Timeout: 5 * time.Minute, Network: "none", DiskMB: megabytes},
				}
				t.Run(fmt.Sprintf("DiskMB=%d", megabytes), func(t *testing.T) {
					t.Parallel()
					w.passes(t, j, source)
				})
				t.Run(fmt.Sprintf("failing,DiskMB=%d", megabytes), func(t *testing.T) {
					t.Parallel()
					w.fails(t, j, source)
				})
			}
		})
	}
}

func (w workload) passes(t *testing.T, j sandbox.Job, source []byte) {
	j.Cmd, j.InputTar, j.Collect = w.cmd, bytes.NewReader(source), []string{w.artifact}
	start := time.Now()
	res := runtest.OK(t, j)
	t.Logf("took %v", time.Since(start).Round(100*time.Millisecond))
	require.Zero(t, res.ExitCode, "%s", res.Logs)
	for _, report := range w.reports {
		require.Contains(t, string(res.Logs), report)
	}
	require.Contains(t, string(res.Artifacts[w.artifact]), w.holds)
}

func (w workload) fails(t *testing.T, j sandbox.Job, source []byte) {
	j.Cmd, j.InputTar = w.failing, bytes.NewReader(source)
	res := runtest.OK(t, j)
	require.Equal(t, 1, res.ExitCode, "%s", res.Logs)
	require.False(t, res.TimedOut || res.OOMKilled || res.DiskFull)
	require.Contains(t, string(res.Logs), w.failed)
}

// image imports a root file system that scripts/with-images has made.
func (w workload) image(t *testing.T) string {
	t.Helper()
	rootfs, err := os.Open(filepath.Join(os.Getenv("SANDBOX_IMAGES"), w.language+".tar"))
	require.NoError(t, err, "make workloads makes the images, and names their directory in SANDBOX_IMAGES")
	defer rootfs.Close()
	return enginetest.ImportImage(t, w.language, rootfs, w.changes...)
}

// treeOf returns the files of a directory without subdirectories.
func treeOf(t *testing.T, dir string) []tarball.File {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var files []tarball.File
	for _, e := range entries {
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files = append(files, tarball.File{Name: e.Name(), Body: string(body)})
	}
	return files
}
