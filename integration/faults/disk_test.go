//go:build docker

package faults_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/synchestra-io/sandbox"
	"github.com/synchestra-io/sandbox/integration/internal/runtest"
	"github.com/synchestra-io/sandbox/internal/enginetest"
)

// If the engine cannot provide the disk, nothing runs.
func TestDiskUnsupported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"invalid options":        {"POST /volumes/create", http.StatusBadRequest},
		"no volume":              {"POST /volumes/create", http.StatusInternalServerError},
		"no mount":               {"POST /containers/job-stage/start", http.StatusInternalServerError},
		"no start of the holder": {"POST /containers/job-stage/start", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Bool
			p := enginetest.NewProxy(t, enginetest.API, func(x *enginetest.Exchange) {
				if x.Text != c.request {
					x.Forward()
					return
				}
				asked.Store(true)
				x.Writer.Header().Set("Content-Type", "application/json")
				x.Writer.WriteHeader(c.status)
				io.WriteString(x.Writer, `{"message":"no such thing here"}`)
			})
			r, err := sandbox.New(sandbox.Options{Host: p.Host})
			require.NoError(t, err)
			_, id, err := runtest.RunWith(context.Background(), r, runtest.ShellWithDisk("echo ran", 16))
			require.NoError(t, r.Close())
			require.True(t, asked.Load())
			enginetest.AssertNothingLeft(t, id)
			runtest.RequireOwnError(t, err, sandbox.OpStage)
			require.ErrorIs(t, err, sandbox.ErrUnsupported)
			require.ErrorContains(t, err, "Limits.DiskMB 16")
			require.ErrorContains(t, err, "no such thing here")
			require.NotContains(t, p.Requests(), "POST /containers/job/start")
		})
	}
}
