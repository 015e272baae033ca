//go:build docker && soak

package behaviour_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

func init() { tasks[runHugeTar] = childHugeTar }

// runHugeTar is a task of a child process.
const runHugeTar = "run huge tar"

// TestHugeOutputTar measures the memory of a child process that gets two gigabytes of artifacts
// as an archive.
func TestHugeOutputTar(t *testing.T) {
	c := enginetest.StartChild(t, runHugeTar, enginetest.Host())
	<-c.Ended
	var peak, size int64
	said := c.Output.String()
	_, err := fmt.Sscanf(said, "peak %d size %d", &peak, &size)
	require.NoError(t, err, "%s", said)
	t.Log(said)
	require.Less(t, peak, int64(64<<20), "the caller's memory")
	require.Greater(t, size, int64(hugeArtifacts))
	enginetest.AssertNothingLeft(t, c.RunID)
}

// hugeArtifacts is the size of the artifacts in bytes.
const hugeArtifacts = 2_000_000_000

// childHugeTar is that process.
func childHugeTar() int {
	id, image := enginetest.ChildRun()
	var size int64
	res, err := sandbox.RunOnce(owner.WithID(context.Background(), id), sandbox.Job{
		Image: image, Limits: sandbox.Limits{Network: "none", ArtifactBytes: hugeArtifacts}, WorkDir: "/workspace",
		Cmd:       []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero >one; for n in $(seq 1000); do head -c 1000000 /dev/zero >$n; done", hugeArtifacts/2)},
		Collect:   []string{"/workspace"},
		OutputTar: runtest.WriterFunc(func(p []byte) (int, error) { size += int64(len(p)); return len(p), nil }),
	})
	if err != nil || res.ExitCode != 0 || len(res.Uncollected) > 0 {
		fmt.Println(err, res.ExitCode, string(res.Logs), res.Uncollected)
		return 1
	}
	fmt.Printf("peak %d size %d", residentPeak(), size)
	return 0
}
