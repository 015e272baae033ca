//go:build docker

package fleet

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/tarball"
)

// BenchmarkOverhead runs the same job directly and through a fleet in turns, on one engine, and
// reports the medians: the difference in milliseconds, and the ratio.
func BenchmarkOverhead(b *testing.B) {
	large := tarball.Of(tarball.File{Name: "in", Body: string(make([]byte, 100_000_000))})
	for _, c := range []struct {
		name  string
		input []byte
		sync  bool
	}{{"true", nil, false}, {"true, synced", nil, true}, {"100 MB of input", large, false}} {
		b.Run(c.name, func(b *testing.B) {
			s, err := server.NewServer(&server.Options{
				Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: b.TempDir(), NoSigs: true, SyncAlways: c.sync,
			})
			require.NoError(b, err)
			s.Start()
			require.True(b, s.ReadyForConnections(10*time.Second))
			defer func() { s.Shutdown(); s.WaitForShutdown() }()
			nc := connect(b, s.ClientURL())
			require.NoError(b, Provision(b.Context(), nc, Config{}))
			g := &ground{t: b, gate: b.TempDir(), url: s.ClientURL()}
			g.worker(WorkerOptions{Concurrency: 1})
			client := g.client(Options{})
			direct, err := sandbox.New(sandbox.Options{})
			require.NoError(b, err)
			defer direct.Close()
			took := func(run func(context.Context, sandbox.Job) (sandbox.Result, error)) float64 {
				j := shell("true")
				if c.input != nil {
					j.InputTar = bytes.NewReader(c.input)
				}
				began := time.Now()
				res, err := run(b.Context(), j)
				require.NoError(b, err)
				require.Zero(b, res.ExitCode)
				return float64(time.Since(began).Microseconds()) / 1000
			}
			took(direct.RunOnce)
			took(client.RunOnce)
			var directs, differences, ratios []float64
			for b.Loop() {
				one, other := took(direct.RunOnce), took(client.RunOnce)
				directs, differences, ratios = append(directs, one), append(differences, other-one), append(ratios, other/one)
			}
			b.ReportMetric(0, "ns/op") // of both, which tells nothing
			b.ReportMetric(median(directs), "direct-ms")
			b.ReportMetric(median(differences), "more-ms")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
