package main

import (
	"context"
	"errors"
	"io"

	"github.com/synchestra-io/sandbox"
)

// pairs are in the order of the report. Their targets are what the project
// holds itself to.
func (b *bench) pairs() []pair {
	plain := side{"RunOnce of true", runOnce(func() sandbox.Job { return b.job("true") })}
	return []pair{
		{
			a:    plain,
			b:    side{"docker run --rm, same flags", b.dockerRun("true")},
			runs: 15, target: 1.0,
		}, {
			a:    plain,
			b:    side{"bare SDK: create, attach, start, wait, remove", b.bareSDK("true")},
			runs: 15, target: 1.10,
		}, {
			a:    side{"RunOnce with small input, one artifact", runOnce(b.smallInput)},
			b:    plain,
			runs: 15, target: 1.6,
		}, {
			a:    side{"RunOnce with 100 MB of output", runOnce(func() sandbox.Job { return b.job("head", "-c", "100000000", "/dev/zero") })},
			b:    side{"docker run to /dev/null, same flags", b.dockerRun("head", "-c", "100000000", "/dev/zero")},
			runs: 9, target: 1.1,
		}, {
			a:    side{"RunOnce with a 256 MB input", runOnce(b.largeInput)},
			b:    side{"docker cp of it into a stopped container", b.dockerCp(largeTree)},
			runs: 7, target: 1.2, growth: 64 << 20,
		}, {
			a:    side{"RunOnce with 500 MB to live writers", runOnce(b.liveOutput)},
			b:    side{"docker run to /dev/null, same flags", b.dockerRun("head", "-c", "500000000", "/dev/zero")},
			runs: 3, target: 1.05,
		}, {
			a:    side{"RunOnce with small input, one artifact, DiskMB", runOnce(b.smallInputOnDisk)},
			b:    side{"RunOnce with small input, one artifact", runOnce(b.smallInput)},
			runs: 9,
		}, {
			a:    side{"RunOnce with a Setup on bridge, small input, one artifact", runOnce(b.withSetup)},
			b:    side{"RunOnce on bridge and RunOnce on none, each with them", b.twice},
			runs: 15, target: 1.05,
		},
	}
}

func (b *bench) smallInput() sandbox.Job {
	j := b.job("cp", "/workspace/dir0/file0", "/workspace/out")
	j.InputTar = tree(1, 1<<10)
	j.Collect = []string{"/workspace/out"}
	return j
}

func (b *bench) smallInputOnDisk() sandbox.Job {
	j := b.smallInput()
	j.Limits.DiskMB = 64
	return j
}

func (b *bench) withSetup() sandbox.Job {
	j := b.smallInput()
	j.Setup.Cmd = []string{"cp", "/workspace/dir0/file0", "/workspace/copy"}
	return j
}

// twice is what a Setup and its Cmd are without Setup.
func (b *bench) twice(ctx context.Context) error {
	onBridge := b.smallInput()
	onBridge.Limits.Network = "bridge"
	return errors.Join(runOnce(func() sandbox.Job { return onBridge })(ctx), runOnce(b.smallInput)(ctx))
}

func (b *bench) liveOutput() sandbox.Job {
	j := b.job("head", "-c", "500000000", "/dev/zero")
	j.Stdout, j.Stderr = io.Discard, io.Discard
	j.Limits.LogBytes = 1 << 20
	return j
}

func (b *bench) largeInput() sandbox.Job {
	j := b.job("true")
	j.InputTar = largeTree()
	return j
}

func largeTree() io.Reader { return tree(256, 1<<20) }
