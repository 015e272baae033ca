//go:build docker

package behaviour_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
	"github.com/synchestra-io/sandbox/internal/owner"
)

// hugeOutput is the size of the job's output in bytes.
const hugeOutput = 500_000_000

// TestHugeOutputAndArtifact measures the memory of a child process whose job writes
// half a gigabyte of output and a sparse file of 20.
func TestHugeOutputAndArtifact(t *testing.T) {
	c := enginetest.StartChild(t, runHuge, enginetest.Host())
	<-c.Ended
	var peak, dropped, kept, disk int64
	var tooLarge bool
	said := c.Output.String()
	_, err := fmt.Sscanf(said, "peak %d dropped %d kept %d disk %d too large %t", &peak, &dropped, &kept, &disk, &tooLarge)
	require.NoError(t, err, "%s", said)
	t.Log(said)
	require.Less(t, peak, int64(128<<20), "the caller's memory")
	require.Less(t, disk, int64(20<<20), "the engine's disk")
	require.EqualValues(t, hugeOutput, dropped+kept)
	require.True(t, tooLarge)
	enginetest.AssertNothingLeft(t, c.RunID)
}

// childHuge is the process of TestHugeOutputAndArtifact. At its end the job waits until the engine's disk has been
// measured.
func childHuge() int {
	id, image := enginetest.ChildRun()
	r, err := sandbox.New(sandbox.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer r.Close()
	var disk int64
	wait, proceed := io.Pipe()
	res, err := r.RunOnce(owner.WithID(context.Background(), id), sandbox.Job{
		Image: image, Limits: sandbox.Limits{Network: "none"},
		Cmd: []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero; truncate -s 20G /workspace/sparse; echo done >&2; read x", hugeOutput-len("done\n"))},
		Stderr: runtest.WriterFunc(func(p []byte) (int, error) {
			disk = onDisk(owner.NamePrefix + id)
			proceed.Close()
			return len(p), nil
		}),
		Stdin: wait, Collect: []string{"/workspace/sparse"},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	marker := len(fmt.Sprintf("\n[sandbox: %d bytes dropped]\n", res.LogsDropped))
	fmt.Printf("peak %d dropped %d kept %d disk %d too large %t", residentPeak(), res.LogsDropped, len(res.Logs)-marker, disk,
		errors.Is(res.Uncollected["/workspace/sparse"], sandbox.ErrTooLarge))
	return 0
}

// residentPeak returns this process's peak resident size in bytes.
func residentPeak() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return int64(usage.Maxrss) << 10
}

// onDisk returns how much the engine stores for a run on its disk, in bytes: the
// directory of the container, which would have its logs, its layer, and the volumes.
func onDisk(name string) (size int64) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	info, err := enginetest.API.Info(context.Background())
	must(err)
	c, err := enginetest.API.ContainerInspect(context.Background(), name)
	must(err)
	volumes, err := filepath.Glob(filepath.Join(info.DockerRootDir, "volumes", name+"*"))
	must(err)
	containers := "containers"
	if enginetest.Podman() {
		containers = "overlay-containers"
	}
	dirs := append(volumes, filepath.Join(info.DockerRootDir, containers, c.ID), c.GraphDriver.Data["UpperDir"])
	for _, dir := range dirs {
		must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil {
				size += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
			return err
		}))
	}
	return size
}
