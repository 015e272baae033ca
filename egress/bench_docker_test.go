//go:build docker

package egress

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

func BenchmarkOpen(b *testing.B) {
	image := proxyImage()
	for b.Loop() {
		g, err := Open(context.Background(), Options{Allow: []string{"a.test:443"}, Image: image})
		require.NoError(b, err)
		b.StopTimer()
		require.NoError(b, g.Close())
		b.StartTimer()
	}
}

// BenchmarkJoin is what a run with an access costs more than one on network "none".
func BenchmarkJoin(b *testing.B) {
	g, _ := open(b, context.Background(), "a.test:443")
	for b.Loop() {
		a, err := g.Join(context.Background())
		require.NoError(b, err)
		require.NoError(b, a.Close())
	}
}

// BenchmarkRequest takes turns at requests without the proxy and with it, and reports the
// milliseconds of one of each.
func BenchmarkRequest(b *testing.B) {
	good := server(b)
	g, _ := open(b, context.Background(), good)
	a := join(b, g)
	const requests = 200
	script := fmt.Sprintf("read begin x </proc/uptime; i=0; while [ $i -lt %d ]; do wget -q -O /dev/null http://%s/ || exit 1; i=$((i+1)); done; "+
		"read end x </proc/uptime; echo $begin $end", requests, good)
	each := func(j sandbox.Job) (ms float64) {
		var begin, end float64
		_, err := fmt.Sscan(output(b, j), &begin, &end)
		require.NoError(b, err)
		return (end - begin) * 1000 / requests
	}
	var direct, through float64
	n := 0
	for b.Loop() {
		direct += each(sandbox.Job{
			Image: enginetest.BusyboxWithProbe(), Cmd: []string{"sh", "-c", script}, Limits: sandbox.Limits{Network: "bridge"},
		})
		through += each(shell(a, script))
		n++
	}
	b.ReportMetric(direct/float64(n), "direct-ms")
	b.ReportMetric(through/float64(n), "through-ms")
}
