package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"

	"github.com/synchestra-io/sandbox"
)

// pairs are in the order of the report. Their targets are what the project holds itself to,
// on Docker 20.10 and on Docker 28.
func (b *bench) pairs() []pair {
	truth := func() sandbox.Job { return b.job("true") }
	kept := side{"kept Runner, true", b.kept(truth)}
	input := side{"input and artifact", b.kept(b.smallInput)}
	return []pair{
		{
			a: kept, b: side{"docker run --rm, same flags", b.dockerRun("true")},
			runs: 15, target: targets{0.55, 0.88},
		}, {
			a: side{"RunOnce, true", runOnce(truth)}, b: side{"docker run --rm, same flags", b.dockerRun("true")},
			runs: 15, target: targets{0.92, 0.95},
		}, {
			a: kept, b: side{"bare SDK: create, attach, start, wait, remove", b.bareSDK("true")},
			runs: 15, target: targets{0.60, 0.97},
		}, {
			a: input, b: side{"docker create, cp, start, cp, rm", b.dockerCopies},
			runs: 15, target: targets{0.62, 0.75},
		}, {
			a: input, b: side{"testcontainers-go", b.testcontainers},
			runs: 15, target: targets{0.80, 0.93},
		}, {
			a: side{"input and artifact, DiskMB", b.kept(b.smallInputOnDisk)}, b: input,
			runs: 15, target: targets{1.5, 1.5},
		}, {
			a: side{"input and ten artifacts", b.kept(b.tenArtifacts)}, b: side{"the same with one", b.kept(b.oneOfTen)},
			runs: 15, target: targets{1.4, 1.15},
		}, {
			a: side{"input of 1 GiB in 50,000 files", b.kept(b.largeInput)}, b: side{"docker cp of it into a stopped container", b.dockerCp(largeTree)},
			runs: 3, target: targets{1, 1}, growth: 64 << 20,
		}, {
			a: side{"500 MB to live writers", b.kept(b.liveOutput)}, b: side{"docker run to /dev/null, same flags", b.dockerRun("head", "-c", "500000000", "/dev/zero")},
			runs: 3, target: targets{1, 1},
		}, {
			a: side{"true on bridge", b.kept(b.onBridge)}, b: side{"docker run --rm on bridge, same flags", b.dockerRunOn("bridge", "true")},
			runs: 15, target: targets{0.95, 0.95},
		}, {
			a: side{"true, 8 at once", atOnce(8, b.kept(truth))}, b: side{"docker run --rm, 8 at once", atOnce(8, b.dockerRun("true"))},
			runs: 15, target: targets{1 / 1.5, 1 / 1.1},
		}, {
			a:    side{"Setup on bridge, input, artifact", b.kept(b.withSetup)},
			b:    side{"one run on bridge and one on none, each with them", b.twice},
			runs: 15, target: targets{1.05, 1.05},
		}, {
			a: side{"true, with a Logger, spans and their tracer", b.told(truth)}, b: kept,
			runs: 60, target: targets{1.01, 1.01},
		},
	}
}

// costs are pairs that tell what parts of the preset cost, with the bare SDK.
func (b *bench) costs() (list []pair) {
	preset := side{"the preset, true", b.bareSDK("true")}
	for _, c := range []struct {
		name   string
		change func(*container.HostConfig)
	}{
		{"without its init", func(h *container.HostConfig) { h.Init = nil }},
		{"without its seccomp profile", func(h *container.HostConfig) { h.SecurityOpt = nil }},
		{"without all of it", func(h *container.HostConfig) { *h = container.HostConfig{NetworkMode: h.NetworkMode} }},
	} {
		list = append(list, pair{a: preset, b: side{c.name, b.bareSDKWith(c.change, "true")}, runs: 15})
	}
	return list
}

// atOnce runs a side n times at once.
func atOnce(n int, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		errs := make(chan error, n)
		for range n {
			go func() { errs <- run(ctx) }()
		}
		var all []error
		for range n {
			all = append(all, <-errs)
		}
		return errors.Join(all...)
	}
}

func (b *bench) onBridge() sandbox.Job {
	j := b.job("true")
	j.Limits.Network = "bridge"
	return j
}

func (b *bench) tenArtifacts() sandbox.Job {
	j := b.oneOfTen()
	for i := range 9 {
		j.Collect = append(j.Collect, fmt.Sprintf("/workspace/out%d", i))
	}
	return j
}

// oneOfTen is a job that writes ten artifacts, and of which one is collected.
func (b *bench) oneOfTen() sandbox.Job {
	j := b.smallInput()
	j.Cmd = []string{"sh", "-c", "for i in '' 0 1 2 3 4 5 6 7 8; do cp /workspace/dir0/file0 /workspace/out$i; done"}
	return j
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
	return errors.Join(b.kept(func() sandbox.Job { return onBridge })(ctx), b.kept(b.smallInput)(ctx))
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

func largeTree() io.Reader { return tree(50_000, 1<<30/50_000) }
